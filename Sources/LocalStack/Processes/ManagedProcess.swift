import Foundation
import Subprocess
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A child process that is ours to signal and to wait for. It dies with this process, however this process ends.
package final class ManagedProcess: Sendable {
    package let specification: ProcessSpecification
    /// The process id: the program itself, since everything before it replaces itself by `exec`.
    package let processIdentifier: Int32
    private let ending: Ending
    private let waiter: Task<ProcessExit, Never>

    /// How the process ended, once it has; and why it never began, if it did not.
    private final class Ending: Sendable {
        let exit = Mutex<ProcessExit?>(nil)
        let launchFailure = Mutex<String?>(nil)
    }

    private init(
        _ specification: ProcessSpecification, processIdentifier: Int32, ending: Ending,
        waiter: Task<ProcessExit, Never>
    ) {
        self.specification = specification
        self.processIdentifier = processIdentifier
        self.ending = ending
        self.waiter = waiter
    }

    /// Starts the program; a cancelled task gets its process too, which is then the caller's to stop.
    ///
    /// - Throws: `LocalStackError` when the program or its log file cannot be opened.
    package static func launch(_ specification: ProcessSpecification) async throws(LocalStackError) -> ManagedProcess {
        guard FileManager.default.isExecutableFile(atPath: specification.executable) else {
            throw LocalStackError(
                .unavailable, "\(specification.name) cannot start: \(specification.executable) is not there.")
        }
        let configuration = try configuration(for: specification)
        let log = try openLog(of: specification)
        let ending = Ending()
        let (started, announce) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingNewest(1))
        let waiter = Task<ProcessExit, Never> {
            var exit = ProcessExit.exited(code: 127)
            do {
                let result = try await Subprocess.run(
                    configuration, input: .none,
                    output: .fileDescriptor(log, closeAfterSpawningProcess: false),
                    error: .fileDescriptor(log, closeAfterSpawningProcess: false)
                ) { execution in
                    announce.yield(execution.processIdentifier.value)
                }
                switch result.terminationStatus {
                case .exited(let code): exit = .exited(code: code)
                case .signaled(let signal): exit = .killed(signal: signal)
                }
            } catch {
                ending.launchFailure.withLock { $0 = "\(error)" }
            }
            ending.exit.withLock { $0 = exit }
            announce.finish()
            return exit
        }
        // A task of its own, which nobody cancels: whoever asked may be, and must not lose sight of a process that runs.
        let identifier = await Task { await started.first { _ in true } }.value
        try? log.close()
        guard let identifier else {
            let reason = ending.launchFailure.withLock { $0 } ?? "no reason given"
            throw LocalStackError(.failedToStart, "\(specification.name) cannot start: \(reason).")
        }
        LiveProcesses.add(identifier)
        return ManagedProcess(specification, processIdentifier: identifier, ending: ending, waiter: waiter)
    }

    /// How the process ended; nil while it runs.
    package var exitIfEnded: ProcessExit? { ending.exit.withLock { $0 } }

    /// Waits until the process has ended.
    package func exit() async -> ProcessExit {
        let exit = await waiter.value
        LiveProcesses.remove(processIdentifier)
        return exit
    }

    /// Sends a signal; does nothing once the process has ended.
    package func signal(_ signal: Int32) {
        ending.exit.withLock { exit in
            if exit == nil { _ = kill(processIdentifier, signal) }
        }
    }

    /// Sends a signal to the process and to every process below it.
    package func signalTree(_ signal: Int32) {
        guard exitIfEnded == nil else { return }
        self.signal(signal)
        for child in ProcessTable.descendants(of: processIdentifier) { _ = kill(child, signal) }
    }

    /// Asks the process to end, and ends it by force when it has not within `grace`.
    @discardableResult
    package func stop(grace: Duration) async -> ProcessExit {
        signal(specification.stopSignal)
        // A stopped process would otherwise only see the signal when somebody continues it.
        signal(SIGCONT)
        let force = Task {
            try await Task.sleep(for: grace)
            self.signal(SIGKILL)
        }
        let exit = await self.exit()
        force.cancel()
        return exit
    }

    private static func configuration(
        for specification: ProcessSpecification
    ) throws(LocalStackError) -> Subprocess.Configuration {
        let command = try specification.commandLine()
        var options = PlatformOptions()
        // A group of its own: Ctrl-C in the terminal reaches the supervisor alone, and the stop is in order.
        options.processGroupID = 0
        var environment: [Subprocess.Environment.Key: String] = [:]
        for (name, value) in specification.environment {
            environment[Subprocess.Environment.Key(stringLiteral: name)] = value
        }
        return Subprocess.Configuration(
            executable: .path(FilePath(command.executable)), arguments: Arguments(command.arguments),
            environment: .custom(environment), workingDirectory: FilePath(specification.workingDirectory),
            platformOptions: options)
    }

    private static func openLog(of specification: ProcessSpecification) throws(LocalStackError) -> FileDescriptor {
        do {
            return try FileDescriptor.open(
                FilePath(specification.logFile), .writeOnly, options: [.append, .create, .closeOnExec],
                permissions: .ownerReadWrite)
        } catch {
            throw LocalStackError(
                .storage,
                "\(specification.name) cannot start: its log \(specification.logFile) cannot be opened (\(error)).")
        }
    }
}
