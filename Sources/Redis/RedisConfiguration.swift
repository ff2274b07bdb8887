import Foundation

/// Where a Redis server is, and the limits of a client's connections to it.
package struct RedisConfiguration: Sendable, CustomStringConvertible {
    package var host: String
    package var port: Int
    /// The ACL user (Redis 6); `nil` with a password means the default user.
    package var username: String?
    package var password: String?
    /// The number of the database, as in `SELECT`.
    package var database: Int
    /// Shown by `CLIENT LIST`.
    package var clientName: String
    /// How many connections share the commands, in turn. One pipelines well over 100,000 commands a second.
    package var connectionCount: Int
    /// Limit of one attempt to connect and authenticate.
    package var connectTimeout: Duration
    /// A connection that owes an answer and has been silent for so long is given up.
    package var stallTimeout: Duration
    /// How many commands may wait for an answer on one connection; more fail with `queueFull`.
    package var maximumPending: Int

    package init(
        host: String = "127.0.0.1", port: Int = 6379, username: String? = nil, password: String? = nil,
        database: Int = 0, clientName: String = "authms", connectionCount: Int = 1,
        connectTimeout: Duration = .seconds(1), stallTimeout: Duration = .seconds(2), maximumPending: Int = 10_000
    ) {
        self.host = host
        self.port = port
        self.username = username
        self.password = password
        self.database = database
        self.clientName = clientName
        self.connectionCount = connectionCount
        self.connectTimeout = connectTimeout
        self.stallTimeout = stallTimeout
        self.maximumPending = maximumPending
    }

    /// Reads `redis://[user][:password@]host[:port][/database]`.
    ///
    /// - Throws: `RedisError` of kind `invalidConfiguration`, which does not repeat the URL.
    package init(url: String) throws(RedisError) {
        guard let parts = URLComponents(string: url), parts.scheme == "redis" else {
            throw RedisError(
                .invalidConfiguration, "a Redis URL has the form redis://[:password@]host[:port][/database]")
        }
        guard let host = parts.host, !host.isEmpty else {
            throw RedisError(.invalidConfiguration, "the Redis URL names no host")
        }
        let path = parts.path.drop { $0 == "/" }
        guard path.isEmpty || Int(path).map({ (0...65_535).contains($0) }) == true else {
            throw RedisError(.invalidConfiguration, "the path of a Redis URL is the number of a database")
        }
        func nonEmpty(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }
        self.init(
            host: host, port: parts.port ?? 6379, username: nonEmpty(parts.user), password: nonEmpty(parts.password),
            database: Int(path) ?? 0)
    }

    /// The address, without credentials.
    package var description: String {
        "redis://\(host):\(port)/\(database)"
    }
}
