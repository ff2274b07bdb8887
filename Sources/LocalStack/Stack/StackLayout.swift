import Foundation

/// A service of the suite as the local stack runs it: its name, its port, and what it may read.
package enum ServiceRole: String, CaseIterable, Sendable {
    case identity, profile, session, mfa, audit, gateway

    /// Where it listens, before `AUTHMS_PORT_OFFSET`.
    package var basePort: Int {
        switch self {
        case .gateway: 11_080
        case .identity: 11_001
        case .profile: 11_002
        case .session: 11_004
        case .mfa: 11_005
        case .audit: 11_013
        }
    }

    /// Where its database listens, before `AUTHMS_PORT_OFFSET`; the gateway has none.
    package var baseDatabasePort: Int? {
        self == .gateway ? nil : basePort + 100
    }

    /// Those that sign tokens hold the private keys; the others get the published ones.
    package var holdsPrivateKeys: Bool { self == .identity || self == .session }

    /// What a replica of it is called: `identity`, `identity-2`, …
    package func unitName(replica: Int) -> String { replica == 1 ? rawValue : "\(rawValue)-\(replica)" }

    /// The services that have a database.
    package static var withDatabase: [ServiceRole] { allCases.filter { $0.baseDatabasePort != nil } }
}

/// Where everything of the private stack lies and listens.
package struct StackLayout: Sendable {
    /// The checkout: `migrations/` and `configs/` lie in it.
    package let repository: String
    /// `.authms` in the checkout, or what `AUTHMS_HOME` names.
    package let root: String
    /// Added to every port, so that two checkouts can run at once.
    package let portOffset: Int

    /// - Parameter root: where the stack keeps all it makes; `.authms` in the checkout when nil.
    package init(repository: String, root: String? = nil, portOffset: Int = 0) {
        self.repository = repository
        self.root = root ?? "\(repository)/.authms"
        self.portOffset = portOffset
    }

    /// The layout of the checkout that holds the current directory or, failing that, the program itself.
    ///
    /// `AUTHMS_HOME` names another directory than its `.authms`, and `AUTHMS_PORT_OFFSET` shifts every port: with both, a
    /// second stack runs beside the first. Without the latter the ports are those of the last start there.
    package static func find(environment: [String: String]) throws(LocalStackError) -> StackLayout {
        let offset = try PortOffset.asked(in: environment)
        let home = environment["AUTHMS_HOME"].map { URL(filePath: $0).standardizedFileURL.path(percentEncoded: false) }
        let starts = [FileManager.default.currentDirectoryPath, currentExecutable]
        for start in starts {
            var directory = URL(filePath: start).standardizedFileURL
            while directory.path(percentEncoded: false) != "/" {
                let path = directory.path(percentEncoded: false).trimmingSuffix("/")
                if Files.exists("\(path)/migrations"), Files.exists("\(path)/configs") {
                    let place = StackLayout(repository: path, root: home?.trimmingSuffix("/"))
                    return StackLayout(
                        repository: path, root: place.root,
                        portOffset: offset ?? PortOffset.recorded(in: place) ?? 0)
                }
                directory = directory.deletingLastPathComponent()
            }
        }
        throw LocalStackError(
            .usage, "This is not a checkout of authms: no directory above \(starts[0]) has migrations/ and configs/.")
    }

    /// The path of the program that runs.
    package static var currentExecutable: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }

    /// More replicas of a service than this have no ports to themselves.
    package static let maximumReplicas = 4

    /// - Parameter replica: counted from 1.
    package func port(of role: ServiceRole, replica: Int = 1) -> Int {
        role.basePort + portOffset + 20 * (replica - 1)
    }
    package var redisPort: Int { 11_179 + portOffset }
    package var rabbitMQPort: Int { 11_172 + portOffset }
    package var rabbitMQDistributionPort: Int { 11_173 + portOffset }
    package var epmdPort: Int { 11_174 + portOffset }

    package func url(of role: ServiceRole, replica: Int = 1) -> String {
        "http://127.0.0.1:\(port(of: role, replica: replica))"
    }

    package var secretsDirectory: String { "\(root)/secrets" }
    package var keysDirectory: String { "\(root)/keys" }
    /// The key ring that the audit service signs its checkpoints under.
    package var auditKeysDirectory: String { "\(root)/audit-keys" }
    /// The mails of a stack that has no mail server.
    package var mailDirectory: String { "\(root)/mail" }
    /// Copies of the signed checkpoints, away from the audit database.
    package var checkpointDirectory: String { "\(root)/checkpoints" }
    package var logDirectory: String { "\(root)/log" }
    package var runDirectory: String { "\(root)/run" }
    package var lockFile: String { "\(runDirectory)/supervisor.pid" }
    package func logFile(of name: String) -> String { "\(logDirectory)/\(name).log" }

    /// Where the supervisor listens. The kernel takes at most 107 bytes for such a path: in a checkout that lies deeper,
    /// the socket is in a private directory under `/tmp`.
    package var controlSocket: String { socket("control.sock") }
    /// Where the proxies take orders, in a stack that was started with proxies.
    package var linkSocket: String { socket("links.sock") }

    private func socket(_ name: String) -> String {
        let path = "\(runDirectory)/\(name)"
        guard path.utf8.count > 100 else { return path }
        return "/tmp/authms-\(root.stableHash)/\(name)"
    }

    /// What `authms down --wipe` forgets: all but the tests' Python environment.
    package static let wiped = [
        "pg", "redis", "rabbitmq", "keys", "audit-keys", "checkpoints", "mail", "secrets", "run", "log", "env",
    ]
}

extension String {
    /// The text without that ending, if it has it.
    func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
