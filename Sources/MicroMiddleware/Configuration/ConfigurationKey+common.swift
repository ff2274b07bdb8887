// The keys that more than one service reads. A service declares its own beside its configuration type.

extension ConfigurationKey<String> {
    package static let httpHost = string("http.host", default: "127.0.0.1", "The address to listen on.")
    /// Read from the environment alone: it names a layer of the configuration.
    package static let secretsDirectory = string(
        "secrets.directory",
        "A mounted directory with one file a setting, named like the key with - for the dot: database-url, "
            + "internal-secret. The environment goes before it, .env and the file after it. Itself in the environment only."
    )
    package static let databaseURL = string(
        "database.url", "The service's own database: postgresql://user:password@host:port/name.")
    package static let databaseMigrationURL = string(
        "database.migration_url",
        "The same database for the role that owns it, for migrations alone; without it database.url migrates.")
    package static let redisURL = string("redis.url", "Redis: redis://[:password@]host:port[/number].")
    package static let rabbitMQURL = string("rabbitmq.url", "RabbitMQ: amqp://user:password@host:port/vhost.")
    package static let keysDirectory = string(
        "keys.directory", "The key ring with its private keys; only identity and session read it.")
    package static let publicKeysFile = string(
        "keys.jwks_file", "The published keys, for the processes that only verify.")
    package static let tokenIssuer = string(
        "token.issuer", default: "https://authms.local", "The issuer (iss) of every token.")
    package static let tokenAudience = string(
        "token.audience", default: "authms", "The audience (aud) of every token.")
    package static let migrationsDirectory = string(
        "migrations.directory", default: "migrations", "Where {service}/0001_….sql lie.")
    package static let documentsDirectory = string(
        "openapi.directory", default: "configs/openapi", "Where the sources of the OpenAPI documents lie.")
    package static let logLevel = oneOf(
        "log.level", ["trace", "debug", "info", "notice", "warning", "error", "critical"], default: "info",
        "The least severe level that is logged.")

    /// Where another service answers: `services.session.url`.
    package static func serviceURL(_ service: String, defaultPort: Int) -> ConfigurationKey<String> {
        string(
            "services.\(service).url", default: "http://127.0.0.1:\(defaultPort)",
            "Where the \(service) service answers; several addresses, separated by commas, are its replicas.")
    }

    package static let identityURL = serviceURL("identity", defaultPort: 11_001)
    package static let profileURL = serviceURL("profile", defaultPort: 11_002)
    package static let sessionURL = serviceURL("session", defaultPort: 11_004)
    package static let mfaURL = serviceURL("mfa", defaultPort: 11_005)
    package static let auditURL = serviceURL("audit", defaultPort: 11_013)
}

extension ConfigurationKey<Int> {
    /// The port of a service, each with its own default.
    package static func httpPort(default port: Int) -> ConfigurationKey<Int> {
        int("http.port", default: port, in: 0...65_535, "The port to listen on; 0 takes a free one.")
    }

    package static let databasePoolSize = int(
        "database.pool_size", default: 8, in: 1...200, "How many connections to the database are kept at most.")
}

extension ConfigurationKey<Bool> {
    package static let databaseMigrate = bool(
        "database.migrate", default: true, "Whether the service migrates its database when it starts.")
}

extension ConfigurationKey<Duration> {
    package static let keysReloadInterval = duration(
        "keys.reload_interval", default: .seconds(5), in: .milliseconds(50) ... .seconds(3_600),
        "How often the key ring's files are looked at; changed keys are in force without a restart.")
    package static let tokenLifetime = duration(
        "token.lifetime", default: .seconds(1_800), in: .seconds(60) ... .seconds(86_400),
        "How long an access token is good for.")
    package static let requestTimeout = duration(
        "http.request_timeout", default: .seconds(10), in: .milliseconds(100) ... .seconds(300),
        "How long a request may take when its caller does not say.")
    package static let drainDelay = duration(
        "http.drain_delay", default: .zero, in: .zero ... .seconds(20),
        "How long readiness is red before the listener closes, for balancers that poll it.")
    package static let shutdownTimeout = duration(
        "shutdown.timeout", default: .seconds(25), in: .seconds(1) ... .seconds(300),
        "How long stopping may take in all before the process ends itself.")
}

extension ConfigurationKey<Secret<String>> {
    package static let internalSecret = secret(
        "internal.secret", minimumBytes: 32, "What services prove themselves to each other with.")
    package static let jwtSecret = secret(
        "jwt.secret", minimumBytes: 32, "Signs tokens with HS256 instead of the key ring's ES256, for those who ask.")
    package static let previousJWTSecret = secret(
        "jwt.secret.previous", minimumBytes: 32, "The HS256 secret before this one, still accepted.")
    package static let passwordPepper = secret(
        "password.pepper", minimumBytes: 32, "Mixed into every password before it is hashed.")
    package static let previousPasswordPepper = secret(
        "password.pepper.previous", minimumBytes: 32,
        "The pepper before this one: passwords hashed under it still verify, and are hashed anew when their users sign in."
    )
}
