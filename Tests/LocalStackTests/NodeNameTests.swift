import ConnectionKit
import LocalStack
import TestSupport
import Testing

@Suite("The name of the broker's node")
struct NodeNameTests {
    private func server(_ directory: String, port: Int) -> RabbitMQServer {
        RabbitMQServer(
            name: "rabbitmq", directory: directory, port: port, distributionPort: port + 1, epmdPort: port + 2,
            logFile: "\(directory)/log", user: "test", password: "test")
    }

    @Test("It stays where the ports move, and another place has another")
    func place() async throws {
        let directory = try TestDirectory.make("node")
        let name = server(directory, port: 11_172).nodeName
        #expect(name.hasSuffix("@localhost"))
        #expect(server(directory, port: 12_172).nodeName == name)
        #expect(server(try TestDirectory.make("node"), port: 11_172).nodeName != name)
        try await server(directory, port: 11_172).prepare(deadline: .after(.seconds(10)))
        #expect(server(directory, port: 13_172).nodeName == name)
    }

    @Test("A node that was once called by its port keeps its name, and so its messages, at whatever port")
    func calledByPort() async throws {
        let directory = try TestDirectory.make("node")
        for name in ["authms-11172@localhost", "authms-11172@localhost-plugins-expand"] {
            try Files.makeDirectory("\(directory)/mnesia/\(name)")
        }
        #expect(server(directory, port: 12_172).nodeName == "authms-11172@localhost")
        try await server(directory, port: 12_172).prepare(deadline: .after(.seconds(10)))
        #expect(server(directory, port: 12_172).nodeName == "authms-11172@localhost")
    }

    @Test("Of several that were called by their ports, the one of the first start since is kept")
    func several() async throws {
        let directory = try TestDirectory.make("node")
        for port in [11_172, 12_172] {
            try Files.makeDirectory("\(directory)/mnesia/authms-\(port)@localhost")
        }
        try await server(directory, port: 12_172).prepare(deadline: .after(.seconds(10)))
        #expect(server(directory, port: 11_172).nodeName == "authms-12172@localhost")
        #expect(server(directory, port: 13_172).nodeName == "authms-12172@localhost")
    }
}
