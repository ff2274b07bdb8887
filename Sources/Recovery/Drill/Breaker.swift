import ConnectionKit
package import LocalStack

/// Takes processes of the private stack away and brings them back, by signals and proxies; nothing else is touched.
package struct Breaker: Sendable {
    private let control: ControlClient
    private let links: LinkClient

    package init(control: ControlClient, links: LinkClient) {
        self.control = control
        self.links = links
    }

    /// Whether the suite runs with proxies.
    package var hasLinks: Bool { links.isThere }

    /// Returns when all of it is gone.
    package func make(_ cause: Cause) async throws(LocalStackError) {
        for unit in cause.units {
            switch cause.fault {
            case .stopped: try await control.perform(.stop, on: unit)
            case .stalled: try await control.perform(.pause, on: unit)
            case .killed: try await control.perform(.kill, on: unit)
            case .refused, .swallowed, .cut: try await links.set(cause.fault.proxyMode ?? .pass, on: unit)
            }
        }
    }

    /// Returns when all of it answers again; what depends on it may take a moment longer.
    package func mend(_ cause: Cause) async throws {
        for unit in cause.units {
            switch cause.fault {
            case .stopped: try await control.perform(.start, on: unit)
            case .stalled: try await control.perform(.continue, on: unit)
            case .killed: break
            case .refused, .swallowed, .cut: try await links.set(.pass, on: unit)
            }
        }
        guard cause.fault.proxyMode == nil else { return }
        // The supervisor looks every half second; a process that was killed may not have been missed yet.
        if cause.fault == .killed { try await Task.sleep(for: .milliseconds(100)) }
        try await wait { status in cause.units.allSatisfy { status[$0]?.phase == .ready } }
    }

    /// After something went wrong: what can be mended is.
    package func mendAnyway(_ cause: Cause) async {
        try? await mend(cause)
    }

    /// Waits until every process of the suite is ready.
    ///
    /// - Throws: `DrillError` after a minute.
    package func waitUntilReady() async throws {
        try await wait { $0.isReady }
    }

    private func wait(until condition: (StackStatus) -> Bool) async throws {
        let deadline = Deadline.after(.seconds(60))
        while true {
            let status = try await control.status()
            if condition(status) { return }
            guard !deadline.hasPassed else {
                let away = status.units.filter { $0.phase != .ready }.map { "\($0.name): \($0.reason)" }
                throw DrillError("Not ready a minute after it was mended: \(away.joined(separator: "; ")).")
            }
            try await Task.sleep(for: .milliseconds(25))
        }
    }
}
