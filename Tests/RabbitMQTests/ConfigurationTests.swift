import RabbitMQ
import Testing

/// How a broker's URL is read.
struct ConfigurationTests {
    @Test("An amqps URL is encrypted, verified, on its own port, and says whom to trust")
    func encrypted() throws {
        let plain = try RabbitMQConfiguration(url: "amqps://me:p%40ss@broker.example.org/a%2Fb")
        #expect((plain.host, plain.port) == ("broker.example.org", 5671))
        #expect((plain.user, plain.password, plain.virtualHost) == ("me", "p@ss", "a/b"))
        let trusting = try #require(plain.tls)
        #expect(trusting.verifies && trusting.rootCertificatePath == nil && trusting.clientCertificatePath == nil)

        let full = try RabbitMQConfiguration(
            url: "amqps://h:5999/?cacertfile=/ca.pem&certfile=/me.pem&keyfile=/me.key&verify=verify_peer&heartbeat=20")
        #expect((full.port, full.virtualHost, full.heartbeat) == (5999, "/", .seconds(20)))
        let tls = try #require(full.tls)
        #expect(tls.verifies && tls.rootCertificatePath == "/ca.pem")
        #expect((tls.clientCertificatePath, tls.clientKeyPath) == ("/me.pem", "/me.key"))
        #expect(try RabbitMQConfiguration(url: "amqps://h?verify=verify_none").tls?.verifies == false)
        #expect("\(full)" == "amqps://h:5999")
    }

    @Test("An amqp URL is not encrypted, and the default host is the broker's usual one")
    func plain() throws {
        let configuration = try RabbitMQConfiguration(url: "amqp://h")
        #expect(configuration.tls == nil && configuration.port == 5672 && configuration.virtualHost == "/")
        #expect((configuration.user, configuration.password) == ("guest", "guest"))
    }

    @Test(
        "A URL that cannot be used, or asks for TLS where there is none, is refused without being repeated",
        arguments: [
            "http://u:secret@h", "amqps://", "amqps://u:secret@h?verify=maybe", "amqps://u:secret@h?heartbeat=0",
            "amqps://u:secret@h?depth=1", "amqp://u:secret@h?cacertfile=/ca.pem",
            "amqp://u:secret@h?verify=verify_peer",
            "amqps://u:secret@h?certfile=/me.pem",
        ])
    func refused(url: String) {
        let error = #expect(throws: RabbitMQError.self) { try RabbitMQConfiguration(url: url) }
        #expect(error?.kind == .invalidConfiguration)
        #expect(error.map { "\($0)".contains("secret") } == false)
    }
}
