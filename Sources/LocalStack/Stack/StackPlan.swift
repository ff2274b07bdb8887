import Foundation

/// What the private stack consists of, and in which order it stops.
package struct StackPlan: Sendable {
    package let layout: StackLayout
    package let secrets: StackSecrets
    package let redis: RedisServer
    package let rabbitMQ: RabbitMQServer
    package let portMapper: EpmdServer
    package let databases: [ServiceRole: PostgresServer]
    package let services: [ServiceProcess]
    /// The ways that lead through proxies; none unless the stack is started with them.
    package let links: [StackLink]
    /// How many processes each service has.
    package let replicas: Int

    /// - Parameters:
    ///   - executable: the program that `serve` is run with.
    ///   - settings: the caller's settings, as environment variables: all reach every service, but for those that the plan
    ///     makes itself (addresses, ports, directories, secrets).
    ///   - replicas: how many processes each service has, 1 to ``StackLayout/maximumReplicas``.
    ///   - withServices: without them it is PostgreSQL, Redis and RabbitMQ alone.
    ///   - isProxied: whether services reach their databases, Redis and RabbitMQ through proxies.
    package init(
        layout: StackLayout, secrets: StackSecrets, executable: String, settings: [String: String],
        replicas: Int = 1, withServices: Bool = true, isProxied: Bool = false
    ) {
        self.replicas = replicas
        self.layout = layout
        self.secrets = secrets
        let redis = RedisServer(
            name: "redis", directory: "\(layout.root)/redis", port: layout.redisPort,
            logFile: layout.logFile(of: "redis"), password: secrets["redis"])
        let rabbitMQ = RabbitMQServer(
            name: "rabbitmq", directory: "\(layout.root)/rabbitmq", port: layout.rabbitMQPort,
            distributionPort: layout.rabbitMQDistributionPort, epmdPort: layout.epmdPort,
            logFile: layout.logFile(of: "rabbitmq"), user: "authms", password: secrets["rabbitmq"])
        var databases: [ServiceRole: PostgresServer] = [:]
        for role in ServiceRole.withDatabase {
            databases[role] = PostgresServer(
                name: "postgres-\(role.rawValue)", directory: "\(layout.root)/pg/\(role.rawValue)",
                port: (role.baseDatabasePort ?? 0) + layout.portOffset,
                logFile: layout.logFile(of: "postgres-\(role.rawValue)"), superuserPassword: secrets["postgres"],
                databases: [Self.database(of: role, secrets)])
        }
        self.redis = redis
        self.rabbitMQ = rabbitMQ
        portMapper = EpmdServer(
            name: "epmd", directory: "\(layout.root)/rabbitmq", port: layout.epmdPort,
            logFile: layout.logFile(of: "epmd"))
        self.databases = databases
        let reached =
            databases.values.map { ($0.name, $0.port) } + [(redis.name, redis.port), (rabbitMQ.name, rabbitMQ.port)]
        links = isProxied ? reached.map { StackLink(to: $0.0, target: $0.1) }.sorted { $0.port < $1.port } : []
        let distance = isProxied ? StackLink.portDistance : 0
        let addresses = Addresses(
            databases: databases.mapValues { $0.ownURL(portDistance: distance) },
            owners: databases.mapValues { $0.ownerURL(portDistance: distance) },
            redis: redis.url(portDistance: distance), rabbitMQ: rabbitMQ.url(portDistance: distance))
        services = (withServices ? ServiceRole.allCases : []).flatMap { role in
            (1...replicas).map { replica in
                ServiceProcess(
                    role: role, replica: replica, port: layout.port(of: role, replica: replica),
                    logFile: layout.logFile(of: role.unitName(replica: replica)), executable: executable,
                    repository: layout.repository,
                    environment: Self.environment(
                        of: role, replica: (replica, replicas), layout: layout, secrets: secrets, addresses: addresses,
                        caller: settings))
            }
        }
    }

    /// Where a service finds what it depends on.
    private struct Addresses {
        let databases: [ServiceRole: String]
        /// The same databases for the roles that own them.
        let owners: [ServiceRole: String]
        let redis: String
        let rabbitMQ: String
    }

    /// Every server and service, in the order in which status lines list them.
    package var servers: [any LocalServer] {
        let databases = ServiceRole.withDatabase.compactMap { self.databases[$0] }
        return databases as [any LocalServer] + [redis, portMapper, rabbitMQ] + services as [any LocalServer]
    }

    /// What must have answered once before the unit of that name is started. A service waits for its own database only,
    /// so that it can migrate at once; it lives without the others, and RabbitMQ is slow.
    package func prerequisites(of name: String) -> [String] {
        if name == rabbitMQ.name { return [portMapper.name] }
        guard let service = services.first(where: { $0.name == name }), let database = databases[service.role] else {
            return []
        }
        return [database.name]
    }

    /// Stopped one row after the other, the members of a row at once.
    package var stopOrder: [[String]] {
        [
            services.filter { $0.role == .gateway }.map(\.name),
            services.filter { $0.role != .gateway }.map(\.name),
            databases.values.map(\.name) + [redis.name, rabbitMQ.name],
            [portMapper.name],
        ]
    }

    private static func database(of role: ServiceRole, _ secrets: StackSecrets) -> PostgresServer.Database {
        PostgresServer.Database(
            name: "authms_\(role.rawValue)", role: "authms_\(role.rawValue)",
            password: secrets["database-\(role.rawValue)"],
            // The audit service owns nothing of the trail: it cannot switch off what protects it.
            serviceRole: role == .audit
                ? .init(name: "authms_audit_service", password: secrets["database-audit-service"]) : nil)
    }

    private static func environment(
        of role: ServiceRole, replica: (number: Int, of: Int), layout: StackLayout, secrets: StackSecrets,
        addresses: Addresses, caller: [String: String]
    ) -> [String: String] {
        let own = { (role: ServiceRole) in
            ownSettings(of: role, replica: replica, layout: layout, secrets: secrets, addresses: addresses)
        }
        // What one service is given by the plan is not the caller's to say to another that is not to have it.
        let ownNames = Set(ServiceRole.allCases.flatMap { own($0).keys })
        var environment = ProgramFinder.baseEnvironment(home: layout.root)
        // Where nobody can take over, waiting for others to notice only prolongs the absence.
        environment["HTTP_DRAIN_DELAY"] = replica.of > 1 ? "1500ms" : "0s"
        // Of several, the first: who balances in front of them says where that is.
        if role == .gateway { environment["GATEWAY_PUBLIC_URL"] = layout.url(of: .gateway) }
        return environment.merging(caller.filter { !ownNames.contains($0.key) }) { $1 }.merging(own(role)) { $1 }
    }

    /// What no caller can change: where things are, and what they are protected by.
    private static func ownSettings(
        of role: ServiceRole, replica: (number: Int, of: Int), layout: StackLayout, secrets: StackSecrets,
        addresses: Addresses
    ) -> [String: String] {
        var own: [String: String] = [
            "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "\(layout.port(of: role, replica: replica.number))",
            "REDIS_URL": addresses.redis, "RABBITMQ_URL": addresses.rabbitMQ,
            "KEYS_JWKS_FILE": "\(layout.keysDirectory)/jwks.json",
            "MIGRATIONS_DIRECTORY": "\(layout.repository)/migrations", "INTERNAL_SECRET": secrets["internal"],
        ]
        own["DATABASE_URL"] = addresses.databases[role]
        if let owner = addresses.owners[role], owner != addresses.databases[role] {
            own["DATABASE_MIGRATION_URL"] = owner
        }
        if role.holdsPrivateKeys { own["KEYS_DIRECTORY"] = layout.keysDirectory }
        if role == .audit {
            own["AUDIT_KEYS_DIRECTORY"] = layout.auditKeysDirectory
            own["AUDIT_CHECKPOINT_DIRECTORY"] = layout.checkpointDirectory
        }
        if role == .identity {
            own["PASSWORD_PEPPER"] = secrets["pepper"]
            own["MAIL_DIRECTORY"] = layout.mailDirectory
        }
        if role == .mfa { own["MFA_ENCRYPTION_KEY"] = secrets["mfa-encryption"] }
        for other in ServiceRole.withDatabase {
            own["SERVICES_\(other.rawValue.uppercased())_URL"] =
                (1...replica.of).map { layout.url(of: other, replica: $0) }.joined(separator: ",")
        }
        return own
    }
}

extension PostgresServer {
    /// The address of the one database that a service's cluster has, for the role that the service works as.
    package var ownURL: String { ownURL(portDistance: 0) }

    /// The same for the role that owns the database: for migrations.
    package var ownerURL: String { ownerURL(portDistance: 0) }

    /// The same through something that listens so much above the cluster's port.
    func ownURL(portDistance: Int) -> String {
        guard let database = databases.first, let role = database.serviceRole else {
            return ownerURL(portDistance: portDistance)
        }
        return "postgresql://\(role.name):\(role.password)@127.0.0.1:\(port + portDistance)/\(database.name)"
    }

    func ownerURL(portDistance: Int) -> String { url(databases.first, portDistance: portDistance) }
}
