/// Where one process of the stack is in its life.
package enum UnitPhase: String, Codable, Sendable {
    /// Something else must answer first.
    case waiting
    /// Its directory is being made.
    case preparing
    /// It runs and has not answered yet.
    case starting
    case ready
    /// It runs, has been ready, and does not answer as it should.
    case unready
    /// It ended by itself and is started again after a pause.
    case restarting
    /// SIGSTOP, on request.
    case paused
    case stopping
    /// On request.
    case stopped
    /// It could not be started at all.
    case failed
}

/// One process of the stack, as `authms status` shows it.
package struct UnitStatus: Codable, Sendable, Equatable {
    package var name: String
    package var port: Int
    package var phase: UnitPhase
    /// Why it is not ready; empty when it is.
    package var reason: String
    package var processIdentifier: Int32?
    /// How often it has been started again after it ended by itself.
    package var restarts: Int
    /// How its process before the present one ended: its exit code, or 128 and the signal that killed it.
    package var lastExitCode: Int32?

    package init(
        name: String, port: Int, phase: UnitPhase, reason: String, processIdentifier: Int32?, restarts: Int
    ) {
        self.name = name
        self.port = port
        self.phase = phase
        self.reason = reason
        self.processIdentifier = processIdentifier
        self.restarts = restarts
    }
}

/// The whole stack at one moment.
package struct StackStatus: Codable, Sendable, Equatable {
    package var units: [UnitStatus]

    package var isReady: Bool { units.allSatisfy { $0.phase == .ready } }

    package subscript(_ name: String) -> UnitStatus? { units.first { $0.name == name } }
}
