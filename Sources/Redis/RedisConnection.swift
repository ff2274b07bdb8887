import ConnectionKit
import DequeModule
import Logging

/// One connection, on a thread of its own: connects, pipelines what its mailbox holds, and connects again.
actor RedisConnection {
    private let executor: ThreadExecutor
    private let configuration: RedisConfiguration
    private let mailbox: RedisMailbox
    private let wait: SocketWait
    private let logger: Logger

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(configuration: RedisConfiguration, mailbox: RedisMailbox, logger: Logger) {
        executor = ThreadExecutor(name: "redis")
        self.configuration = configuration
        self.mailbox = mailbox
        wait = SocketWait(doorbell: mailbox.doorbell)
        self.logger = logger
    }

    /// Serves the mailbox until it closes. Blocks the connection's own thread.
    func run() {
        var backoff = Backoff()
        while mailbox.phase != .closing {
            do {
                let link = try connect()
                if backoff.failures > 0 { logger.notice("connected again", metadata: ["redis": "\(configuration)"]) }
                backoff.reset()
                mailbox.enter(.connected)
                try serve(link)
            } catch {
                mailbox.enter(.down)
                guard mailbox.phase != .closing else { return }
                let level: Logger.Level = backoff.failures == 0 ? .warning : .debug
                logger.log(level: level, "no connection to Redis", metadata: ["reason": "\(error)"])
                rest(until: .after(backoff.next()))
            }
        }
        mailbox.enter(.down)
    }

    /// Waits without a socket; only the mailbox's end cuts it short.
    private func rest(until deadline: Deadline) {
        while mailbox.phase != .closing, !deadline.hasPassed {
            guard (try? wait.wait(for: [], on: -1, until: deadline)) == .doorbell else { return }
        }
    }
}

// MARK: - Connecting

extension RedisConnection {
    private func connect() throws(RedisError) -> RedisLink {
        let deadline = Deadline.after(configuration.connectTimeout)
        let link = try RedisLink(configuration)
        try waitFor(.writable, link, deadline)
        try link.finishConnecting()
        for command in greeting {
            try link.append(command)
            while try !link.flush() { try waitFor(.writable, link, deadline) }
            guard case .failure(let refusal) = try reply(link, deadline) else { continue }
            throw refusal
        }
        return link
    }

    private var greeting: [[RedisArgument]] {
        var commands: [[RedisArgument]] = []
        if let password = configuration.password {
            let user = configuration.username.map { [RedisArgument($0)] } ?? []
            commands.append(["AUTH"] + user + [RedisArgument(password)])
        }
        if configuration.database != 0 { commands.append(["SELECT", RedisArgument(configuration.database)]) }
        commands.append(["CLIENT", "SETNAME", RedisArgument(configuration.clientName)])
        // A server that still loads its data refuses this one.
        commands.append(["EXISTS", "authms"])
        return commands
    }

    private func reply(
        _ link: RedisLink, _ deadline: Deadline
    ) throws(RedisError) -> Result<RedisValue, RedisError> {
        while true {
            if let reply = try link.nextReply() { return reply }
            try waitFor(.readable, link, deadline)
            try link.read()
        }
    }

    private func waitFor(
        _ interest: SocketWait.Interest, _ link: RedisLink, _ deadline: Deadline
    ) throws(RedisError) {
        while mailbox.phase != .closing {
            switch try poll(interest, link, deadline) {
            case .ready: return
            case .doorbell: continue
            case .timedOut:
                throw RedisError(.unavailable(outcomeUnknown: false), "\(configuration) does not answer in time")
            }
        }
        throw mailbox.unavailable(outcomeUnknown: false)
    }

    private func poll(
        _ interest: SocketWait.Interest, _ link: RedisLink, _ deadline: Deadline
    ) throws(RedisError) -> SocketWait.Outcome {
        do {
            return try wait.wait(for: interest, on: link.socket, until: deadline)
        } catch {
            throw RedisError(.unavailable(outcomeUnknown: true), "\(configuration): \(error)")
        }
    }
}

// MARK: - Serving

extension RedisConnection {
    /// Commands that were sent and wait for their answers, in order, and when to look after them.
    private struct InFlight {
        var requests: Deque<RedisRequest> = []
        /// No request's deadline is earlier.
        var nextDeadline = Deadline.after(.seconds(3_600))
        /// When the server last gave sign of life, or had nothing to say.
        var lastProgress = ContinuousClock.now

        mutating func expire() {
            guard nextDeadline.hasPassed else { return }
            nextDeadline = .after(.seconds(3_600))
            for request in requests where !request.slot.isResolved {
                if request.deadline.hasPassed {
                    request.slot.resolve(.failure(.deadlineExceeded))
                } else {
                    nextDeadline = min(nextDeadline, request.deadline)
                }
            }
        }
    }

    /// Returns when the mailbox closes and all is answered.
    private func serve(_ link: RedisLink) throws(RedisError) {
        var inFlight = InFlight()
        do {
            try pump(link, &inFlight)
        } catch {
            for request in inFlight.requests {
                request.slot.resolve(.failure(mailbox.unavailable(outcomeUnknown: true)))
            }
            throw error
        }
    }

    private func pump(_ link: RedisLink, _ inFlight: inout InFlight) throws(RedisError) {
        while true {
            for request in mailbox.take(inFlight: inFlight.requests.count) where !request.slot.isResolved {
                if inFlight.requests.isEmpty { inFlight.lastProgress = .now }
                try link.append(request.command)
                inFlight.requests.append(request)
                inFlight.nextDeadline = min(inFlight.nextDeadline, request.deadline)
            }
            let isWritten = try link.flush()
            guard mailbox.fallAsleep() else { continue }
            if mailbox.phase == .closing, inFlight.requests.isEmpty { return }

            let stalls = Deadline(inFlight.lastProgress.advanced(by: configuration.stallTimeout))
            let wakeUp = inFlight.requests.isEmpty ? inFlight.nextDeadline : min(inFlight.nextDeadline, stalls)
            switch try poll(isWritten ? .readable : [.readable, .writable], link, wakeUp) {
            case .ready(let interest) where interest.contains(.readable):
                try link.read()
                try settle(link, &inFlight)
            case .ready, .doorbell:
                break
            case .timedOut:
                if !inFlight.requests.isEmpty, stalls.hasPassed {
                    inFlight.expire()
                    throw RedisError(.unavailable(outcomeUnknown: true), "\(configuration) has stopped answering")
                }
            }
            inFlight.expire()
        }
    }

    private func settle(_ link: RedisLink, _ inFlight: inout InFlight) throws(RedisError) {
        while let reply = try link.nextReply() {
            guard let request = inFlight.requests.popFirst() else {
                throw RedisError(.unexpectedReply, "\(configuration) answered a command that nobody sent")
            }
            request.slot.resolve(reply)
            inFlight.lastProgress = .now
        }
    }
}

extension RedisError {
    static let deadlineExceeded = RedisError(.deadlineExceeded, "the deadline passed before Redis answered")
    static let cancelled = RedisError(.cancelled, "the task was cancelled before Redis answered")
}
