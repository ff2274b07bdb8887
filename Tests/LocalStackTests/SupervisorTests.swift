import ConnectionKit
import LocalStack
import Logging
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite("The supervised stack")
struct SupervisorTests {
    @Test(
        "Everything starts, comes back after a crash, stops and starts on request, and ends in order",
        .timeLimit(.minutes(5)))
    func life() async throws {
        let layout = StackLayout(repository: try TestDirectory.make("stack"), portOffset: try freeOffset())
        let plan = StackPlan(
            layout: layout, secrets: try StackSecrets.loadOrMake(in: layout), executable: "/nowhere", settings: [:],
            withServices: false)
        try Files.makeDirectory(layout.logDirectory)
        let lock = try StackLock(layout)
        #expect(throws: LocalStackError.self) { _ = try StackLock(layout) }
        let supervisor = StackSupervisor(
            plan: plan, observer: .init(changed: { _ in }, becameReady: {}, stopping: {}),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await supervisor.run() }
        try await wait(until: "everything is ready") { supervisor.status.isReady }

        let control = ControlClient(layout: layout)
        #expect(try await control.status().isReady)
        let before = supervisor.status["redis"]?.processIdentifier
        try await control.perform(.kill, on: "redis")
        try await wait(until: "redis is back") {
            let redis = supervisor.status["redis"]
            return redis?.phase == .ready && redis?.processIdentifier != before && redis?.restarts == 1
        }
        try await control.perform(.stop, on: "postgres-identity")
        try await wait(until: "it has stopped") { supervisor.status["postgres-identity"]?.phase == .stopped }
        #expect(Ports.isFree(plan.databases[.identity]?.port ?? 0))
        #expect(supervisor.status["postgres-session"]?.phase == .ready)
        try await control.perform(.start, on: "postgres-identity")
        try await control.perform(.pause, on: "postgres-audit")
        #expect(supervisor.status["postgres-audit"]?.phase == .paused)
        try await control.perform(.continue, on: "postgres-audit")
        try await wait(until: "everything is ready again") { supervisor.status.isReady }
        await #expect(throws: LocalStackError.self) { try await control.perform(.stop, on: "nobody") }

        try await control.stop()
        try await running.value
        for server in plan.servers { #expect(Ports.isFree(server.port), "\(server.name)") }
        await #expect(throws: LocalStackError.self) { try await control.status() }
        withExtendedLifetime(lock) {}
    }

    @Test("A start that cannot succeed ends with a sentence and leaves nothing behind", .timeLimit(.minutes(5)))
    func failure() async throws {
        let layout = StackLayout(repository: try TestDirectory.make("broken"), portOffset: try freeOffset())
        let plan = StackPlan(
            layout: layout, secrets: try StackSecrets.loadOrMake(in: layout), executable: "/nowhere", settings: [:],
            withServices: true)
        try Files.makeDirectory(layout.logDirectory)
        let supervisor = StackSupervisor(
            plan: plan, observer: .init(changed: { _ in }, becameReady: {}, stopping: {}),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let error = await #expect(throws: LocalStackError.self) { try await supervisor.run() }
        #expect(error?.description.contains("/nowhere is not there") == true)
        // What was just being started ends a moment later.
        try await wait(until: "every port is free again") { plan.servers.allSatisfy { Ports.isFree($0.port) } }
    }

    @Test("A process that is started by a task being cancelled is still handed over, and can be stopped")
    func cancelledLaunch() async throws {
        let directory = try TestDirectory.make("launch")
        for _ in 0..<20 {
            let launching = Task {
                try await ManagedProcess.launch(
                    ProcessSpecification(
                        name: "sleeper", executable: "/bin/sleep", arguments: ["60"], environment: [:],
                        workingDirectory: directory, logFile: directory + "/sleeper.log"))
            }
            launching.cancel()
            let process = try await launching.value
            #expect(await process.stop(grace: .seconds(5)) == .killed(signal: SIGTERM))
        }
    }

    /// An offset at which all ports of a stack are free.
    private func freeOffset() throws -> Int {
        for _ in 0..<200 {
            let offset = Int.random(in: 50...180) * 100
            let layout = StackLayout(repository: "/", portOffset: offset)
            let secrets = try StackSecrets.loadOrMake(in: StackLayout(repository: TestDirectory.make("secrets")))
            let plan = StackPlan(layout: layout, secrets: secrets, executable: "", settings: [:])
            if plan.servers.allSatisfy({ Ports.isFree($0.port) }), Ports.isFree(layout.rabbitMQDistributionPort) {
                return offset
            }
        }
        throw LocalStackError(.inUse, "no offset is free")
    }

    private func wait(until what: String, _ condition: () -> Bool) async throws {
        let deadline = Deadline.after(.seconds(120))
        while !condition() {
            guard !deadline.hasPassed else { throw LocalStackError(.failedToStart, "not in time: \(what)") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
