import ConnectionKit
import Foundation
package import Logging
import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Runs the whole private stack until it is asked to stop: by graceful shutdown or through the control socket.
package final class StackSupervisor: Sendable {
    /// What happens to whoever watches.
    package struct Observer: Sendable {
        /// A unit changed; called from any task.
        package var changed: @Sendable (StackStatus) -> Void
        /// Everything answers for the first time.
        package var becameReady: @Sendable () async throws -> Void
        /// The stop begins.
        package var stopping: @Sendable () -> Void

        package init(
            changed: @escaping @Sendable (StackStatus) -> Void,
            becameReady: @escaping @Sendable () async throws -> Void, stopping: @escaping @Sendable () -> Void
        ) {
            self.changed = changed
            self.becameReady = becameReady
            self.stopping = stopping
        }
    }

    private let plan: StackPlan
    private let observer: Observer
    private let logger: Logger
    private let units: [StackUnit]
    private let board: Board
    private let stopRequests: AsyncStream<Void>
    private let requestStop: AsyncStream<Void>.Continuation

    /// The latest status of every unit.
    private final class Board: Sendable {
        let statuses: Mutex<[UnitStatus]>
        init(_ statuses: [UnitStatus]) { self.statuses = Mutex(statuses) }
    }

    package init(plan: StackPlan, observer: Observer, logger: Logger) {
        self.plan = plan
        self.observer = observer
        self.logger = logger
        (stopRequests, requestStop) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let board = Board(
            plan.servers.map {
                UnitStatus(
                    name: $0.name, port: $0.port, phase: .waiting, reason: "", processIdentifier: nil, restarts: 0)
            })
        self.board = board
        units = plan.servers.map { server in
            StackUnit(server) { status in
                let all = board.statuses.withLock { statuses in
                    if let index = statuses.firstIndex(where: { $0.name == status.name }) { statuses[index] = status }
                    return statuses
                }
                observer.changed(StackStatus(units: all))
            }
        }
    }

    /// The whole stack as it is now.
    package var status: StackStatus { StackStatus(units: board.statuses.withLock { $0 }) }

    /// Starts everything, and stops it in order when asked to. Returns when all processes have ended.
    ///
    /// - Throws: `LocalStackError` when something cannot be started at all; what had started is stopped.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for unit in units {
                let plan = plan
                group.addTask {
                    try await unit.supervise { await self.obstacle(for: unit, plan) }
                }
            }
            let control = ControlServer(path: plan.layout.controlSocket, supervisor: self, logger: logger)
            group.addTask { try await control.run() }
            group.addTask { try await self.announceReadiness() }
            group.addTask {
                await self.waitForStop()
                self.observer.stopping()
                await self.stopAll()
                throw Stopped()
            }
            do {
                // Not `waitForAll()`: it tells of an error only after all have ended.
                while try await group.next() != nil {}
            } catch {
                if !(error is Stopped) {
                    observer.stopping()
                    await stopAll()
                }
                group.cancelAll()
                if !(error is Stopped) { throw error }
            }
        }
    }

    /// Ends `run()` of itself: how the stopping task tears down the others.
    private struct Stopped: Error {}

    /// Asks for the stop; `run()` returns when it is done.
    package func stop() {
        requestStop.yield()
    }

    // MARK: - Requests from the control socket

    package enum Action: String, CaseIterable, Sendable {
        case stop, start, restart, kill, pause, `continue`
    }

    /// Does something to one process.
    package func perform(_ action: Action, on name: String) async throws(LocalStackError) {
        guard let unit = units.first(where: { $0.server.name == name }) else {
            throw LocalStackError(
                .usage, "There is no process '\(name)': \(units.map(\.server.name).joined(separator: ", ")).")
        }
        switch action {
        case .stop: await unit.stop()
        case .start: await unit.start()
        case .restart: await unit.restart()
        case .kill: await unit.kill()
        case .pause: await unit.pause()
        case .continue: await unit.continue()
        }
    }

    // MARK: - Order

    private func obstacle(for unit: StackUnit, _ plan: StackPlan) async -> String? {
        for name in plan.prerequisites(of: unit.server.name) {
            guard let other = units.first(where: { $0.server.name == name }) else { continue }
            if await !other.hasBeenReady { return "for \(name)" }
        }
        return nil
    }

    private func announceReadiness() async throws {
        while !status.isReady { try await Task.sleep(for: .milliseconds(25)) }
        try await observer.becameReady()
        // A member of the group ends only with the stack.
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    private func waitForStop() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await gracefulShutdown() }
            group.addTask { [stopRequests] in for await _ in stopRequests { break } }
            await group.next()
            group.cancelAll()
        }
    }

    private func stopAll() async {
        for row in plan.stopOrder {
            await withTaskGroup(of: Void.self) { group in
                for unit in units where row.contains(unit.server.name) {
                    group.addTask { await unit.end() }
                }
            }
        }
    }
}
