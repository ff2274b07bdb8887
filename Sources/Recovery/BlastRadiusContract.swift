/// What a user asks of the suite: a column of the degraded-mode contract.
package enum Capability: String, Sendable, CaseIterable, Codable {
    case verify, refresh, login, register, logout

    /// How often a second in the mix that every promise is measured under.
    package var perSecond: Int {
        switch self {
        case .verify: 150
        case .refresh: 40
        case .login: 5
        case .register: 1
        case .logout: 4
        }
    }
}

/// What is promised of a capability. The order is from best to worst.
package enum Promise: String, Sendable, Codable, Comparable {
    case works
    /// Less than usual: an access token of five minutes, or no refresh token.
    case degraded
    /// 503 with Retry-After, at once.
    case refused

    package static func < (left: Promise, right: Promise) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .works: 0
        case .degraded: 1
        case .refused: 2
        }
    }
}

/// How something is taken away.
package enum Fault: String, Sendable, CaseIterable, Codable {
    /// The process ends; connections are refused.
    case stopped
    /// SIGSTOP: connections are taken, nothing answers.
    case stalled
    /// SIGKILL; the supervisor starts it again by itself.
    case killed
}

/// Something that is taken away, in some way.
package struct Cause: Sendable, Hashable, Codable {
    /// Names of the local stack's processes: `postgres-identity`, `session`, `redis`.
    package let units: [String]
    package let fault: Fault

    package init(_ units: [String], _ fault: Fault) {
        self.units = units
        self.fault = fault
    }

    package var name: String { "\(units.joined(separator: " + ")) \(fault.rawValue)" }

    /// Whether a service, or its database, is among what is gone.
    package func concerns(_ service: String) -> Bool {
        units.contains(service) || units.contains("postgres-\(service)")
    }

    /// The contract's cell: of several causes the worst.
    package func promise(of capability: Capability) -> Promise {
        units.map { Self.promise(of: capability, without: $0) }.max() ?? .works
    }

    private static func promise(of capability: Capability, without unit: String) -> Promise {
        switch unit {
        case "identity", "postgres-identity":
            capability == .login || capability == .register ? .refused : .works
        case "session", "postgres-session":
            switch capability {
            case .refresh, .login: .degraded
            case .logout: .refused
            case .verify, .register: .works
            }
        default: .works
        }
    }

    /// Each process of the suite but the gateway, stopped and stalled.
    package static var all: [Cause] {
        let services = ["identity", "session", "profile", "mfa", "audit"]
        let units = services.map { "postgres-\($0)" } + services + ["rabbitmq", "redis"]
        return units.flatMap { unit in [Fault.stopped, .stalled].map { Cause([unit], $0) } }
            + ["identity", "session", "rabbitmq", "postgres-session"].map { Cause([$0], .killed) }
    }

    /// Two at once.
    package static var pairs: [Cause] {
        [
            Cause(["postgres-identity", "redis"], .stopped), Cause(["postgres-session", "rabbitmq"], .stopped),
            Cause(["postgres-identity", "postgres-session"], .stopped), Cause(["session", "redis"], .stalled),
            Cause(["rabbitmq", "redis"], .stopped), Cause(["postgres-audit", "rabbitmq"], .stopped),
        ]
    }

    /// A few that between them touch every cell.
    package static var short: [Cause] {
        [
            Cause(["postgres-identity"], .stopped), Cause(["session"], .stalled),
            Cause(["postgres-session"], .stopped), Cause(["rabbitmq"], .stopped), Cause(["redis"], .stopped),
        ]
    }
}
