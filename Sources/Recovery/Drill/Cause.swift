/// How something is taken away.
package enum Fault: String, Sendable, CaseIterable, Codable {
    /// The process ends in order; connections are refused.
    case stopped
    /// SIGSTOP: the kernel takes connections, nothing answers.
    case stalled
    /// SIGKILL; the supervisor starts it again by itself.
    case killed
    /// It runs and cannot be reached: the proxy in front of it refuses, and resets what was connected.
    case refused
    /// It runs; the proxy in front of it takes connections and swallows what is sent.
    case swallowed
    /// It runs; the proxy in front of it resets every connection, the open ones and each new one.
    case cut

    /// What the proxy does; nil for what is done to the process itself.
    var proxyMode: FaultProxy.Mode? {
        switch self {
        case .stopped, .stalled, .killed: nil
        case .refused: .refuse
        case .swallowed: .stall
        case .cut: .cut
        }
    }

    /// Whether it takes a suite that was started with proxies.
    package var needsProxy: Bool { proxyMode != nil }

    /// Those that signals make, and those that need a suite that was started with proxies.
    static var bySignal: [Fault] { allCases.filter { $0.proxyMode == nil } }
    static var byProxy: [Fault] { allCases.filter { $0.proxyMode != nil } }
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

    /// Whether a record of that service's changes may be late: the trail, or the way to it, or what the service had not
    /// handed over yet is away.
    func delays(recordsOf service: String) -> Bool {
        concerns("audit") || concerns(service) || units.contains("rabbitmq")
    }
}

extension Cause {
    private static let services = ["identity", "session", "profile", "mfa", "audit"]
    /// What a proxy can be in front of.
    package static let dependencies = services.map { "postgres-\($0)" } + ["rabbitmq", "redis"]
    /// Each process of the suite but the gateway, which is what everybody asks.
    package static let units = dependencies + services

    /// Each process in each way.
    ///
    /// - Parameter withProxies: also the ways that need proxies.
    package static func all(withProxies: Bool) -> [Cause] {
        units.flatMap { unit in Fault.bySignal.map { Cause([unit], $0) } }
            + (withProxies ? dependencies.flatMap { unit in Fault.byProxy.map { Cause([unit], $0) } } : [])
    }

    /// Every two processes at once.
    package static var pairs: [Cause] {
        units.indices.flatMap { first in
            units[(first + 1)...].map { Cause([units[first], $0], .stopped) }
        }
    }

    /// A few that between them touch every cell, every fault and two at once.
    ///
    /// - Parameter withProxies: without proxies, processes are stopped and stalled instead.
    package static func short(withProxies: Bool) -> [Cause] {
        [
            Cause(["postgres-identity"], withProxies ? .refused : .stopped),
            Cause(["session"], .stalled),
            Cause(["mfa"], .stopped),
            Cause(["postgres-session", "redis"], .stopped),
            Cause(["rabbitmq"], withProxies ? .swallowed : .stalled),
            Cause(["postgres-profile"], withProxies ? .cut : .stopped),
            Cause(["audit"], .killed),
        ]
    }
}
