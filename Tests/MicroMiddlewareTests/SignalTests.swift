import ConnectionKit
import Foundation
import Hummingbird
import MicroMiddleware
import ServiceLifecycle
import Testing

/// Each in a process of its own: signals end processes.
@Suite("A signal")
struct SignalTests {
    /// A service that takes as long to stop as it is told, and does not listen when it is cancelled.
    struct Stubborn: Service {
        let patience: Duration

        func run() async throws {
            try? await gracefulShutdown()
            let end = ContinuousClock.now + patience
            while ContinuousClock.now < end {
                await withCheckedContinuation { continuation in
                    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(5)) { continuation.resume() }
                }
            }
        }
    }

    /// Runs a service that gets one signal when it listens, and maybe another when it is stopping.
    static func runSignalled(patience: Duration, timeout: String, first: CInt, second: CInt?) async throws {
        let settings = settings(["shutdown.timeout": timeout])
        let health = HealthRegistry()
        let application = ServiceApplication(
            name: "demo", settings: settings, telemetry: .silent(),
            router: try Router.service(.silent(), settings: settings), services: [Stubborn(patience: patience)],
            health: health, onListening: { _ in kill(getpid(), first) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.runUntilSignalled() }
            if let second {
                while await health.report().status != "stopping" { try await Task.sleep(for: .milliseconds(2)) }
                kill(getpid(), second)
            }
            try await group.waitForAll()
        }
    }

    @Test("The first signal stops the service in order, and the process ends with 0", .timeLimit(.minutes(1)))
    func first() async {
        await #expect(processExitsWith: .success) {
            try await SignalTests.runSignalled(patience: .milliseconds(20), timeout: "10s", first: SIGTERM, second: nil)
        }
    }

    @Test("The second signal ends the process at once", .timeLimit(.minutes(1)))
    func second() async {
        await #expect(processExitsWith: .exitCode(128 + SIGINT)) {
            try await SignalTests.runSignalled(patience: .seconds(50), timeout: "40s", first: SIGTERM, second: SIGINT)
        }
    }

    @Test("Stopping that takes too long ends the process", .timeLimit(.minutes(1)))
    func tooLong() async {
        await #expect(processExitsWith: .exitCode(75)) {
            try await SignalTests.runSignalled(patience: .seconds(50), timeout: "1s", first: SIGINT, second: nil)
        }
    }
}
