import ConnectionKit
import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One supervised process: started, watched, started again when it ends by itself, stopped on request.
actor StackUnit {
    nonisolated let server: any LocalServer
    private let probe = Probe()
    private let whenChanged: @Sendable (UnitStatus) -> Void
    private(set) var status: UnitStatus {
        didSet { if status != oldValue { whenChanged(status) } }
    }
    private var process: ManagedProcess?
    /// Whether it should run.
    private var isWanted = true
    private var isFinal = false
    private var isPaused = false
    /// Whether the process was ended in order to be started again, which is no failure.
    private var isRestarting = false
    private(set) var hasBeenReady = false

    /// How long after an unexpected end it is started again; doubles with every end that follows soon.
    private static let firstPause = Duration.milliseconds(200)
    private static let longestPause = Duration.seconds(5)
    private static let tick = Duration.milliseconds(50)
    /// The same while all is well.
    private static let calmTick = Duration.milliseconds(200)
    private static let unreadyPause = Duration.milliseconds(250)

    /// How soon after a look at one that is ready the next one comes. The question costs something: PostgreSQL makes a process
    /// for it, a service asks all that it depends on. That a process has ended is seen without asking.
    private var calmPause: Duration { .seconds(server is ServiceProcess ? 1 : 2) }

    init(_ server: any LocalServer, whenChanged: @escaping @Sendable (UnitStatus) -> Void) {
        self.server = server
        self.whenChanged = whenChanged
        status = UnitStatus(
            name: server.name, port: server.port, phase: .waiting, reason: "", processIdentifier: nil, restarts: 0)
    }

    // MARK: - Life

    /// Keeps the process running until `end()`.
    ///
    /// - Parameter mayStart: asked before each start; a sentence says what it still waits for.
    /// - Throws: what prevented the very first start; later failures are retried.
    func supervise(mayStart: @Sendable () async -> String?) async throws(LocalStackError) {
        var pause = Self.firstPause
        while !isFinal {
            guard isWanted else {
                set(.stopped, "on request")
                await nap()
                continue
            }
            if !hasBeenReady, let obstacle = await mayStart() {
                set(.waiting, obstacle)
                await nap()
                continue
            }
            let startedAt = ContinuousClock.now
            var reason: String
            do {
                reason = try await runOnce()
            } catch {
                guard hasBeenReady else {
                    // Cancelled: another unit's failure has its sentence already.
                    if !Task.isCancelled { set(.failed, error.description) }
                    throw error
                }
                reason = error.description
            }
            guard isWanted, !isFinal else { continue }
            if isRestarting {
                isRestarting = false
                continue
            }
            if startedAt.duration(to: .now) > .seconds(20) { pause = Self.firstPause }
            status.restarts += 1
            set(.restarting, reason)
            let resume = Deadline.after(pause)
            while isWanted, !isFinal, !resume.hasPassed { await nap() }
            pause = min(pause * 2, Self.longestPause)
        }
        set(.stopped, "")
    }

    /// Starts the process and watches it until it ends; returns how it ended.
    private func runOnce() async throws(LocalStackError) -> String {
        set(.preparing, "")
        try await server.prepare(deadline: .after(.seconds(120)))
        if !hasBeenReady { try Ports.require(server.port, for: server.name) }
        let process = try await ManagedProcess.launch(server.specification())
        self.process = process
        defer {
            self.process = nil
            status.processIdentifier = nil
        }
        isPaused = false
        status.processIdentifier = process.processIdentifier
        set(.starting, "")
        // A stop that was asked for while the process was being made.
        if !isWanted || isFinal { await process.stop(grace: server.stopTimeout) }
        try await watch(process, deadline: .after(server.startTimeout))
        let exit = await process.exit()
        status.lastExitCode = exit.code
        guard case .exited = exit else { return "it \(exit)" }
        return "it \(exit): \(Diagnosis.lastWords(ofLog: process.specification.logFile, lines: 1))"
    }

    /// Looks at the process until it ends.
    private func watch(_ process: ManagedProcess, deadline: Deadline) async throws(LocalStackError) {
        var isUp = false
        var nextLook = ContinuousClock.now
        while process.exitIfEnded == nil {
            if !isPaused, status.phase != .stopping, ContinuousClock.now >= nextLook {
                let problem = await problem()
                // It may have ended, or been asked to, while it was asked.
                if process.exitIfEnded == nil, !isPaused, status.phase != .stopping {
                    if problem == nil {
                        if !isUp { server.becameReady() }
                        isUp = true
                        hasBeenReady = true
                    }
                    set(problem == nil ? .ready : isUp ? .unready : .starting, problem ?? "")
                }
                nextLook = .now.advanced(by: !isUp ? Self.tick : problem == nil ? calmPause : Self.unreadyPause)
            }
            if !hasBeenReady, deadline.hasPassed, server is ServiceProcess == false {
                await process.stop(grace: .seconds(2))
                throw LocalStackError(
                    .failedToStart,
                    "\(server.name) does not answer on port \(server.port) in time "
                        + "(log: \(process.specification.logFile)).")
            }
            await nap(status.phase == .ready ? Self.calmTick : Self.tick)
        }
        try explainFirstFailure(process)
    }

    /// A process that ends before it was ever ready ends the start of the stack, with its own last words.
    private func explainFirstFailure(_ process: ManagedProcess) throws(LocalStackError) {
        guard !hasBeenReady, isWanted, !isFinal, let exit = process.exitIfEnded else { return }
        let log = process.specification.logFile
        let words = Diagnosis.tail(of: log)
        let remedy = Diagnosis.remedy(for: words, directory: process.specification.workingDirectory)
        throw LocalStackError(
            Diagnosis.kind(of: words),
            "\(server.name) \(exit) while starting. \(remedy ?? Diagnosis.lastWords(words, lines: 2)) (log: \(log))")
    }

    /// Nil when it answers as it should, else what is wrong.
    private func problem() async -> String? {
        let answer = await probe.firstBytes(
            of: server.question, port: server.port, deadline: .after(.seconds(2)))
        guard let answer else { return "does not answer on port \(server.port)" }
        if server.question.accepts(answer) { return nil }
        return ReadinessAnswer.problem(in: answer)
    }

    // MARK: - Requests

    /// Stops the process in order and keeps it stopped.
    func stop() async {
        isWanted = false
        await endProcess()
    }

    /// Lets it run (again).
    func start() {
        isWanted = true
    }

    /// Stops the process in order and starts it again, without counting it as a failure.
    func restart() async {
        isWanted = true
        isRestarting = process != nil
        await endProcess()
    }

    /// Ends it with SIGKILL, with all its children, as a crash would; the supervisor starts it again.
    func kill() {
        guard let process else { return }
        process.signalTree(SIGKILL)
        set(.unready, "killed on request")
    }

    /// Stops it with SIGSTOP: it keeps its connections and answers nobody.
    func pause() {
        guard let process else { return }
        isPaused = true
        process.signalTree(SIGSTOP)
        set(.paused, "on request")
    }

    func `continue`() {
        process?.signalTree(SIGCONT)
        isPaused = false
    }

    /// Stops it for good; `supervise` returns.
    func end() async {
        isFinal = true
        isWanted = false
        await endProcess()
    }

    private func endProcess() async {
        guard let process else { return }
        if isPaused { self.continue() }
        set(.stopping, "")
        await process.stop(grace: server.stopTimeout)
    }

    private func set(_ phase: UnitPhase, _ reason: String) {
        var changed = status
        changed.phase = phase
        changed.reason = reason
        status = changed
    }

    private func nap(_ duration: Duration = tick) async {
        // Cancelled means that the stack is being torn down; `isFinal` ends the loops.
        do { try await Task.sleep(for: duration) } catch { isFinal = true }
    }
}
