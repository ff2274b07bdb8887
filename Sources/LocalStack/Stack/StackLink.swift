/// The way to a database or a broker that leads through a proxy, where a suite is started with proxies.
package struct StackLink: Sendable, Hashable {
    /// The name of the process that it leads to: `postgres-identity`, `redis`.
    package let name: String
    /// Where the proxy listens on 127.0.0.1.
    package let port: Int
    /// Where the process listens.
    package let target: Int

    /// Proxies listen so much above what they lead to.
    package static let portDistance = 100

    package init(to name: String, target: Int) {
        self.init(name: name, port: target + Self.portDistance, target: target)
    }

    package init(name: String, port: Int, target: Int) {
        self.name = name
        self.port = port
        self.target = target
    }
}
