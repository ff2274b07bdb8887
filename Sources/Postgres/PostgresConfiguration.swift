/// One server that a client may connect to.
package struct PostgresEndpoint: Sendable, Hashable {
    /// A host name or address; a path that starts with `/` is the directory of a Unix-domain socket.
    package var host: String
    package var port: Int

    package init(host: String, port: Int = 5432) {
        self.host = host
        self.port = port
    }
}

/// How a connection is encrypted: libpq's `sslmode`, without the modes that only seem to protect.
package enum PostgresTLS: Sendable, Hashable {
    case disable
    /// Encrypted if the server can, unauthenticated. The default of libpq and of this client.
    case prefer
    /// Encrypted always; the certificate is not checked against the host name.
    case require
    /// Encrypted, and the certificate must be signed by the root at this path and name the host.
    case verifyFull(rootCertificatePath: String)
}

/// Our own certificate, for a server that asks for one (libpq's `sslcert` and `sslkey`).
package struct PostgresClientCertificate: Sendable, Hashable {
    /// A PEM file.
    package var certificatePath: String
    /// A PEM file without a passphrase that nobody else may read.
    package var keyPath: String

    package init(certificatePath: String, keyPath: String) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }
}

/// Where the database is, who we are there, and how much of it we may use.
package struct PostgresConfiguration: Sendable {
    /// Tried in order until one accepts; more than one is a primary and its standbys, of which the writable one is taken.
    package var endpoints: [PostgresEndpoint]
    package var database: String
    package var user: String
    /// Never printed: neither this type nor an error of the driver shows it.
    package var password: String?
    package var tls: PostgresTLS = .prefer
    /// Shown to a server that asks for it.
    package var clientCertificate: PostgresClientCertificate?
    /// What `pg_stat_activity` shows.
    package var applicationName: String = "authms"
    /// Connections at most; each owns a thread. 1 or more.
    package var poolSize: Int = 8
    /// Callers that may wait for a connection at once; one more is refused with `.acquireTimeout` right away.
    package var waiterLimit: Int = 1_024
    /// How long a caller waits for a connection at most, its own deadline aside.
    package var acquireTimeout: Duration = .seconds(1)
    /// How long one endpoint may take to accept us.
    package var connectTimeout: Duration = .seconds(2)
    /// A connection is replaced after this time, less a random part of up to a tenth.
    package var maximumLifetime: Duration = .seconds(30 * 60)
    /// The server ends a statement that runs longer: the net under the deadlines of the callers.
    package var statementTimeout: Duration = .seconds(60)
    /// The server ends a transaction in which nothing happens for longer.
    package var idleInTransactionTimeout: Duration = .seconds(30)
    /// Prepared statements kept by each connection; the least recently used one goes first.
    package var statementCacheSize: Int = 256

    package init(
        endpoints: [PostgresEndpoint], database: String, user: String, password: String? = nil,
        tls: PostgresTLS = .prefer
    ) {
        self.endpoints = endpoints
        self.database = database
        self.user = user
        self.password = password
        self.tls = tls
    }

    package init(
        host: String, port: Int = 5432, database: String, user: String, password: String? = nil,
        tls: PostgresTLS = .prefer
    ) {
        self.init(
            endpoints: [PostgresEndpoint(host: host, port: port)], database: database, user: user,
            password: password, tls: tls)
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomReflectable {
    package var description: String {
        let servers = endpoints.map { "\($0.host):\($0.port)" }.joined(separator: ",")
        return "\(user)@\(servers)/\(database)"
    }

    /// Without the password, so that `dump` and a test's failure message do not print it either.
    package var customMirror: Mirror {
        Mirror(self, children: ["connection": description, "tls": tls, "poolSize": poolSize])
    }
}
