import ConnectionKit

/// Restarts services one process at a time: the next one is stopped when the one before is ready again.
package struct RollingRestart: Sendable {
    private let client: ControlClient
    private let patience: Duration
    private let settle: Duration
    private let say: @Sendable (String) -> Void

    /// - Parameters:
    ///   - patience: how long a process may take from its end to its readiness.
    ///   - settle: how long a process stays ready before the next one is stopped, so that whoever balances, and looks only
    ///     every so often, has seen it.
    ///   - say: gets a line for each process.
    package init(
        client: ControlClient, patience: Duration, settle: Duration = .seconds(1),
        say: @escaping @Sendable (String) -> Void
    ) {
        self.client = client
        self.patience = patience
        self.settle = settle
        self.say = say
    }

    /// Restarts every replica of the named services, or the named replicas; of all services when none is named.
    ///
    /// - Throws: `LocalStackError` at the first process that does not end in order or does not come back; those after it
    ///   are left as they are.
    package func run(_ names: [String]) async throws(LocalStackError) {
        let status = try await client.status()
        for name in try Self.units(names, in: status) { try await restart(name) }
    }

    /// The processes that are meant, in the order in which they are restarted.
    package static func units(_ names: [String], in status: StackStatus) throws(LocalStackError) -> [String] {
        let services = status.units.filter { $0.role != nil }
        if names.isEmpty { return services.map(\.name) }
        var meant: [String] = []
        for name in names {
            let found = services.filter { $0.name == name || $0.role?.rawValue == name }.map(\.name)
            guard !found.isEmpty else {
                throw LocalStackError(
                    .usage, "There is no service '\(name)': \(services.map(\.name).joined(separator: ", ")).")
            }
            for unit in found where !meant.contains(unit) { meant.append(unit) }
        }
        return meant
    }

    private func restart(_ name: String) async throws(LocalStackError) {
        let start = ContinuousClock.now
        let before = try await client.status()[name]?.processIdentifier
        try await client.perform(.restart, on: name)
        let stopped = ContinuousClock.now
        let unit = try await becameReady(name, after: before)
        let code = unit.lastExitCode ?? 0
        guard code == 0 else {
            throw LocalStackError(.failedToStart, "\(name) is back, but ended with exit code \(code): see its log.")
        }
        say(
            "✔ \(name) stopped within \(Self.text(start.duration(to: stopped))), ready again after "
                + Self.text(stopped.duration(to: .now)))
        try await pause(settle, name)
    }

    private func becameReady(_ name: String, after before: Int32?) async throws(LocalStackError) -> UnitStatus {
        let deadline = Deadline.after(patience)
        while true {
            let unit = try await client.status()[name]
            if let unit, unit.phase == .ready, unit.processIdentifier != before { return unit }
            guard !deadline.hasPassed else {
                throw LocalStackError(
                    .failedToStart, "\(name) is not ready again in time: \(unit?.reason ?? "it is gone").")
            }
            try await pause(.milliseconds(50), name)
        }
    }

    private func pause(_ duration: Duration, _ name: String) async throws(LocalStackError) {
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw LocalStackError(.failedToStart, "\(name): waiting was cancelled.")
        }
    }

    private static func text(_ duration: Duration) -> String {
        let tenths = duration.components.seconds * 10 + duration.components.attoseconds / 100_000_000_000_000_000
        return "\(tenths / 10).\(tenths % 10) s"
    }
}

extension UnitStatus {
    /// The service that the process is a replica of; nil for the servers of others' making.
    package var role: ServiceRole? {
        ServiceRole.allCases.first { role in
            (1...StackLayout.maximumReplicas).contains { role.unitName(replica: $0) == name }
        }
    }
}
