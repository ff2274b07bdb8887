import Foundation

/// Where a broker is, and the limits of connections to it.
package struct RabbitMQConfiguration: Sendable, CustomStringConvertible {
    /// How a connection is encrypted (`amqps`).
    package struct TLS: Sendable {
        /// PEM file of the authorities to trust; `nil` trusts the system's.
        package var rootCertificatePath: String?
        /// Whether the broker's certificate must be valid and bear the host's name.
        package var verifies: Bool
        /// PEM files of our own certificate and key, where the broker asks for one.
        package var clientCertificatePath: String?
        package var clientKeyPath: String?

        package init(
            rootCertificatePath: String? = nil, verifies: Bool = true, clientCertificatePath: String? = nil,
            clientKeyPath: String? = nil
        ) {
            self.rootCertificatePath = rootCertificatePath
            self.verifies = verifies
            self.clientCertificatePath = clientCertificatePath
            self.clientKeyPath = clientKeyPath
        }
    }

    package var host: String
    package var port: Int
    package var user: String
    package var password: String
    package var virtualHost: String
    package var tls: TLS?
    /// Shown in the broker's list of connections.
    package var connectionName: String
    /// Interval of heartbeats, whole seconds; a peer silent for two of them is given up.
    package var heartbeat: Duration
    /// Limit of one attempt to connect and log in.
    package var connectTimeout: Duration
    /// Limit of one request to the broker (declare, consume, cancel …).
    package var requestTimeout: Duration

    package init(
        host: String = "127.0.0.1", port: Int = 5672, user: String = "guest", password: String = "guest",
        virtualHost: String = "/", tls: TLS? = nil, connectionName: String = "authms",
        heartbeat: Duration = .seconds(10), connectTimeout: Duration = .seconds(5),
        requestTimeout: Duration = .seconds(10)
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.virtualHost = virtualHost
        self.tls = tls
        self.connectionName = connectionName
        self.heartbeat = heartbeat
        self.connectTimeout = connectTimeout
        self.requestTimeout = requestTimeout
    }

    /// Reads `amqp[s]://[user[:password]@]host[:port][/vhost][?heartbeat=10&cacertfile=…&verify=verify_none]`
    /// (the RabbitMQ URI specification and its query parameters).
    ///
    /// - Throws: `RabbitMQError` of kind `invalidConfiguration`, which does not repeat the URL.
    package init(url: String) throws(RabbitMQError) {
        func invalid(_ reason: String) -> RabbitMQError { RabbitMQError(.invalidConfiguration, reason) }
        guard let parts = URLComponents(string: url), let scheme = parts.scheme, ["amqp", "amqps"].contains(scheme)
        else { throw invalid("a RabbitMQ URL has the form amqp[s]://user:password@host[:port][/vhost]") }
        guard let host = parts.host, !host.isEmpty else { throw invalid("the RabbitMQ URL names no host") }
        let isEncrypted = scheme == "amqps"
        self.init(
            host: host, port: parts.port ?? (isEncrypted ? 5671 : 5672), user: parts.user ?? "guest",
            password: parts.password ?? "guest", tls: isEncrypted ? TLS() : nil)
        let path = parts.percentEncodedPath
        if !path.isEmpty {
            guard let name = path.dropFirst().removingPercentEncoding else {
                throw invalid("the virtual host is not UTF-8")
            }
            // "amqp://host/" names the virtual host "" by the letter; nobody means that.
            virtualHost = name.isEmpty ? "/" : name
        }
        for item in parts.queryItems ?? [] {
            guard isEncrypted || !["cacertfile", "certfile", "keyfile", "verify"].contains(item.name) else {
                throw invalid("\(item.name) in the RabbitMQ URL needs amqps://")
            }
            switch (item.name, item.value) {
            case ("heartbeat", let value?):
                guard let seconds = Int(value), (1...3_600).contains(seconds) else {
                    throw invalid("heartbeat is a number of seconds, 1 to 3600")
                }
                heartbeat = .seconds(seconds)
            case ("cacertfile", let value): tls?.rootCertificatePath = value
            case ("certfile", let value): tls?.clientCertificatePath = value
            case ("keyfile", let value): tls?.clientKeyPath = value
            case ("verify", "verify_none"): tls?.verifies = false
            case ("verify", "verify_peer"): tls?.verifies = true
            default: throw invalid("the RabbitMQ URL has an unknown parameter \(item.name)")
            }
        }
        guard (tls?.clientCertificatePath == nil) == (tls?.clientKeyPath == nil) else {
            throw invalid("certfile and keyfile in the RabbitMQ URL go together")
        }
    }

    /// The address, without credentials.
    package var description: String {
        "\(tls == nil ? "amqp" : "amqps")://\(host):\(port)\(virtualHost == "/" ? "" : "/\(virtualHost)")"
    }
}
