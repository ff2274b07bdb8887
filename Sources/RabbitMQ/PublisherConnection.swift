import ConnectionKit
import DequeModule
import Logging

/// The publisher's connection, on a thread of its own: connects, publishes what its mailbox holds in windows, reads the
/// confirms, and connects again.
actor PublisherConnection {
    /// How much may wait for confirms: enough to keep the broker busy, little enough to fit into the socket's buffers.
    private static let windowMessages = 1_024
    private static let windowBytes = 512 * 1_024
    /// How many messages go out between two looks at the socket.
    private static let burst = 64

    private let executor: ThreadExecutor
    private let configuration: RabbitMQConfiguration
    private let topology: Topology?
    private let mailbox: PublisherMailbox
    private let wait: SocketWait
    private let logger: Logger

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(configuration: RabbitMQConfiguration, topology: Topology?, mailbox: PublisherMailbox, logger: Logger) {
        executor = ThreadExecutor(name: "amqp-publish")
        self.configuration = configuration
        self.topology = topology
        self.mailbox = mailbox
        wait = SocketWait(doorbell: mailbox.doorbell)
        self.logger = logger
    }

    /// Serves the mailbox until it closes. Blocks the connection's own thread.
    func run() {
        var backoff = Backoff(limit: .seconds(5))
        while mailbox.phase != .closing {
            do throws(RabbitMQError) {
                let link = try connect()
                if backoff.failures > 0 {
                    logger.notice("publisher connected again", metadata: ["broker": "\(configuration)"])
                }
                backoff.reset()
                mailbox.guardian.watch(link.socket)
                mailbox.enter(.connected)
                defer { mailbox.guardian.release() }
                try serve(link)
                link.close()
            } catch {
                mailbox.enter(.down)
                guard mailbox.phase != .closing else { break }
                let level: Logger.Level = backoff.failures == 0 ? .warning : .debug
                logger.log(level: level, "publisher has no connection", metadata: ["reason": "\(error)"])
                rest(until: .after(backoff.next()))
            }
        }
        mailbox.enter(.down)
    }

    private func connect() throws(RabbitMQError) -> AMQPLink {
        let link = try AMQPLink(configuration, deadline: .after(configuration.connectTimeout))
        link.limitRequests(.after(configuration.requestTimeout))
        if let topology { try link.declare(topology) }
        try link.selectConfirms()
        return link
    }

    /// Waits without a socket; only the mailbox's end cuts it short.
    private func rest(until deadline: Deadline) {
        while mailbox.phase != .closing, !deadline.hasPassed {
            guard (try? wait.wait(for: [], on: -1, until: deadline)) == .doorbell else { return }
        }
    }
}

// MARK: - Serving

extension PublisherConnection {
    /// A message on its way.
    private struct Sent {
        let publication: Publication
        let index: Int
        var message: AMQPMessage { publication.messages[index] }
    }

    /// What was taken from the mailbox.
    private struct Work {
        /// Batches of which some messages are still to be sent, and the place of the first one's next.
        var unsent: Deque<Publication> = []
        var next = 0
        var window = ConfirmWindow<Sent>()
        var windowBytes = 0
        var isBlocked = false

        var hasRoom: Bool {
            window.count < PublisherConnection.windowMessages && windowBytes < PublisherConnection.windowBytes
        }
        var canSend: Bool { !unsent.isEmpty && hasRoom && !isBlocked }
    }

    /// Returns when the mailbox closes and all is confirmed, or 5 s later.
    private func serve(_ link: AMQPLink) throws(RabbitMQError) {
        var work = Work()
        do throws(RabbitMQError) {
            try pump(link, &work)
        } catch {
            abandon(work, "the connection to \(configuration) broke before the confirm")
            throw error
        }
        abandon(work, "the publisher of \(configuration) was closed before the confirm")
    }

    private func abandon(_ work: Work, _ reason: String) {
        for publication in work.unsent { publication.fail(.connectionLost, reason) }
        for sent in work.window.waiting { sent.publication.fail(.connectionLost, reason) }
        let unsent = work.unsent.reduce(-work.next) { $0 + $1.messages.count }
        mailbox.finished(messages: unsent + work.window.waiting.count)
    }

    private func pump(_ link: AMQPLink, _ work: inout Work) throws(RabbitMQError) {
        var end: Deadline?
        while true {
            mailbox.guardian.visit()
            for publication in mailbox.take() {
                publication.markBlocked(work.isBlocked)
                work.unsent.append(publication)
            }
            try send(link, &work)
            try hear(link, &work)
            if mailbox.phase == .closing {
                let limit = end ?? .after(.seconds(5))
                end = limit
                if limit.hasPassed || (work.unsent.isEmpty && work.window.isEmpty) { return }
            }
            let interest: SocketWait.Interest = work.canSend ? [.readable, .writable] : .readable
            _ = try poll(link, interest, .after(link.tick))
        }
    }

    /// Publishes while the window, the broker and the socket allow.
    private func send(_ link: AMQPLink, _ work: inout Work) throws(RabbitMQError) {
        var burst = 0
        while work.canSend, let publication = work.unsent.first {
            if publication.isOver || work.next == publication.messages.count {
                mailbox.finished(messages: publication.messages.count - work.next)
                work.unsent.removeFirst()
                work.next = 0
                continue
            }
            if burst.isMultiple(of: Self.burst) {
                guard case .ready = try poll(link, .writable, .after(.zero)) else { return }
            }
            burst += 1
            let sent = Sent(publication: publication, index: work.next)
            work.next += 1
            work.window.append(sent)
            work.windowBytes += sent.message.body.count
            try link.publish(sent.message)
        }
    }

    private func hear(_ link: AMQPLink, _ work: inout Work) throws(RabbitMQError) {
        while let event = try link.nextEvent() {
            switch event {
            case .confirmed(let tag, let multiple, let isAck):
                let answered = work.window.remove(upTo: tag, multiple: multiple)
                for sent in answered {
                    work.windowBytes -= sent.message.body.count
                    sent.publication.confirm(sent.index, isAck: isAck)
                }
                mailbox.finished(messages: answered.count)
            case .returned(let message):
                // It comes before its confirm, so it is still in the window.
                let sent = work.window.first { sent in
                    sent.message.messageID == message.messageID && sent.message.routingKey == message.routingKey
                        && sent.message.exchange == message.exchange && !sent.publication.isMarked(sent.index)
                }
                sent?.publication.markUnroutable(sent?.index ?? 0)
            case .blocked(let reason):
                logger.warning("the broker blocks its publishers", metadata: ["reason": "\(reason)"])
                block(&work, true)
            case .unblocked:
                logger.notice("the broker takes messages again")
                block(&work, false)
            case .delivered, .consumerCancelled:
                break
            }
        }
    }

    private func block(_ work: inout Work, _ isBlocked: Bool) {
        work.isBlocked = isBlocked
        mailbox.enter(isBlocked ? .blocked : .connected)
        for publication in work.unsent { publication.markBlocked(isBlocked) }
        for sent in work.window.waiting { sent.publication.markBlocked(isBlocked) }
    }

    private func poll(
        _ link: AMQPLink, _ interest: SocketWait.Interest, _ deadline: Deadline
    ) throws(RabbitMQError) -> SocketWait.Outcome {
        do {
            return try wait.wait(for: interest, on: link.socket, until: deadline)
        } catch {
            throw RabbitMQError(.connectionLost, "\(configuration): \(error)")
        }
    }
}
