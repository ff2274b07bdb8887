import CLibPQ

/// A database URL that cannot be used, in one sentence that does not repeat it (it may hold a password).
package struct PostgresConfigurationError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

extension PostgresConfiguration {
    /// Reads `postgresql://user:password@host:port,host2:port2/database?sslmode=…` as libpq does.
    ///
    /// Understood parameters: `host` (also a socket directory), `port`, `sslmode` (disable, prefer, require,
    /// verify-full), `sslrootcert`, `sslcert` and `sslkey` (both or neither), `application_name`, `connect_timeout`
    /// (seconds). Any other of libpq's is refused by name: what is asked for and not done would be a trap.
    package init(url: String) throws(PostgresConfigurationError) {
        guard url.hasPrefix("postgresql://") || url.hasPrefix("postgres://") else {
            throw PostgresConfigurationError(description: "The database URL must start with postgresql://.")
        }
        let options = try Self.parse(url)
        if let unknown = options.keys.filter({ !Self.understood.contains($0) }).min() {
            throw PostgresConfigurationError(
                description: "\(unknown) in the database URL is not understood; these parameters are: "
                    + "\(Self.understood.sorted().joined(separator: ", ")).")
        }
        guard let database = options["dbname"], let user = options["user"] else {
            throw PostgresConfigurationError(
                description: "The database URL must name a user and a database: postgresql://user@host:port/database.")
        }
        self.init(
            endpoints: try Self.endpoints(options), database: database, user: user, password: options["password"],
            tls: try Self.tls(options))
        clientCertificate = try Self.clientCertificate(options)
        if let name = options["application_name"] { applicationName = name }
        if let timeout = options["connect_timeout"] {
            guard let seconds = Int(timeout), (1...3_600).contains(seconds) else {
                throw PostgresConfigurationError(
                    description: "connect_timeout in the database URL must be a number of seconds from 1 to 3600.")
            }
            connectTimeout = .seconds(seconds)
        }
    }

    private static let understood: Set = [
        "host", "port", "dbname", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey",
        "application_name", "connect_timeout",
    ]

    private static func clientCertificate(
        _ options: [String: String]
    ) throws(PostgresConfigurationError) -> PostgresClientCertificate? {
        switch (options["sslcert"], options["sslkey"]) {
        case (nil, nil): return nil
        case (let certificate?, let key?):
            return PostgresClientCertificate(certificatePath: certificate, keyPath: key)
        default:
            throw PostgresConfigurationError(
                description: "sslcert and sslkey in the database URL go together: give both or neither.")
        }
    }

    private static func parse(_ url: String) throws(PostgresConfigurationError) -> [String: String] {
        guard let parsed = PQconninfoParse(url, nil) else {
            throw PostgresConfigurationError(
                description: "The database URL is not a valid postgresql:// URL "
                    + "(special characters in a password must be percent-encoded).")
        }
        defer { PQconninfoFree(parsed) }
        var options: [String: String] = [:]
        var option = parsed
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { options[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return options
    }

    private static func endpoints(
        _ options: [String: String]
    ) throws(PostgresConfigurationError) -> [PostgresEndpoint] {
        let hosts = (options["host"] ?? "127.0.0.1").split(separator: ",").map(String.init)
        let ports = (options["port"] ?? "5432").split(separator: ",").map { Int($0) ?? 0 }
        guard !hosts.isEmpty, ports.count == 1 || ports.count == hosts.count,
            ports.allSatisfy((1...65_535).contains)
        else {
            throw PostgresConfigurationError(
                description: "The database URL must give one port from 1 to 65535 for all hosts or for each.")
        }
        return hosts.indices.map { PostgresEndpoint(host: hosts[$0], port: ports[ports.count == 1 ? 0 : $0]) }
    }

    private static func tls(_ options: [String: String]) throws(PostgresConfigurationError) -> PostgresTLS {
        switch options["sslmode"] ?? "prefer" {
        case "disable": return .disable
        case "prefer": return .prefer
        case "require": return .require
        case "verify-full":
            guard let path = options["sslrootcert"] else {
                throw PostgresConfigurationError(
                    description:
                        "sslmode=verify-full in the database URL needs sslrootcert, the path of the root certificate.")
            }
            return .verifyFull(rootCertificatePath: path)
        default:
            throw PostgresConfigurationError(
                description: "sslmode in the database URL must be disable, prefer, require or verify-full.")
        }
    }
}
