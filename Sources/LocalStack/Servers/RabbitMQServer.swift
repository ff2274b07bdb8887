package import ConnectionKit
import Foundation

/// A private RabbitMQ node: TCP on 127.0.0.1, its own port mapper, a virtual machine that sleeps when it has nothing to do.
package struct RabbitMQServer: LocalServer {
    package let name: String
    package let directory: String
    package let port: Int
    /// Where Erlang nodes and `rabbitmqctl` talk to it.
    package let distributionPort: Int
    package let epmdPort: Int
    package let logFile: String
    package let user: String
    package let password: String
    /// Those that exist from the first start on, besides `/`.
    package let virtualHosts: [String]
    /// Lines of `rabbitmq.conf` after the ones that every private node has.
    package let configuration: [String]

    package let question = Probe.Question.rabbitMQ
    package let startTimeout = Duration.seconds(120)
    package let stopTimeout = Duration.seconds(20)

    package init(
        name: String, directory: String, port: Int, distributionPort: Int, epmdPort: Int, logFile: String,
        user: String, password: String, virtualHosts: [String] = [], configuration: [String] = []
    ) {
        self.name = name
        self.directory = directory
        self.port = port
        self.distributionPort = distributionPort
        self.epmdPort = epmdPort
        self.logFile = logFile
        self.user = user
        self.password = password
        self.virtualHosts = virtualHosts
        self.configuration = configuration
    }

    /// The scripts of the newest version; those in `/usr/sbin` change the user and would not serve us.
    package static func programDirectory() throws(LocalStackError) -> String {
        if let version = ProgramFinder.highestVersion(in: "/usr/lib/rabbitmq/lib", prefix: "rabbitmq_server-"),
            FileManager.default.isExecutableFile(atPath: "\(version)/sbin/rabbitmq-server")
        {
            return "\(version)/sbin"
        }
        let script = try ProgramFinder.find("rabbitmq-server", package: "rabbitmq-server")
        return URL(filePath: script).resolvingSymlinksInPath().deletingLastPathComponent().path(percentEncoded: false)
    }

    /// What the node is called, and with it the directory of its messages, queues and users: that of the node which is
    /// there, else one that the place gives. It moves with no port.
    package var nodeName: String {
        let kept = Files.read(nameFile)?.trimmingCharacters(in: .whitespacesAndNewlines)
        return kept ?? nodesThere.first ?? "authms-\(directory.stableHash)@localhost"
    }

    private var nameFile: String { "\(directory)/node-name" }

    /// The nodes of a directory that has no name written down yet: the one that is called by its port first, as all once
    /// were.
    private var nodesThere: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: mnesia)) ?? []
        let byPort = "authms-\(port)@localhost"
        return names.filter { $0.hasPrefix("authms-") && $0.hasSuffix("@localhost") }
            .sorted { ($0 != byPort ? 1 : 0, $0) < ($1 != byPort ? 1 : 0, $1) }
    }

    package func prepare(deadline: Deadline) async throws(LocalStackError) {
        try Files.makeDirectory(directory)
        // A node whose first start was cut short may not start again, and holds nobody's messages yet: it is made anew.
        if Files.exists(beginning) { try Files.remove(mnesia) }
        try Files.write(nodeName + "\n", to: nameFile)
        if !Files.exists(mnesia) { try Files.write("The first start has not ended yet.\n", to: beginning) }
        try Files.write("[].\n", to: "\(directory)/enabled_plugins")
        try Files.write(definitions(), to: "\(directory)/definitions.json")
        try Files.write(configurationText(), to: "\(directory)/rabbitmq.conf")
        // How many messages of a channel a quorum queue takes before it slows the channel down; 32 otherwise, and then it
        // writes its log in many small pieces.
        try Files.write(
            "[{rabbit, [{quorum_commands_soft_limit, 256}]}].\n", to: "\(directory)/advanced.config")
    }

    /// From before the first start until the node has answered for the first time.
    private var beginning: String { "\(directory)/first-start" }
    private var mnesia: String { "\(directory)/mnesia" }

    package func becameReady() {
        try? Files.remove(beginning)
    }

    package func specification() throws(LocalStackError) -> ProcessSpecification {
        ProcessSpecification(
            name: name, executable: "\(try Self.programDirectory())/rabbitmq-server", arguments: ["-noinput"],
            environment: try environment(), workingDirectory: directory, logFile: logFile)
    }

    /// What `rabbitmqctl` needs as well to find this node.
    package func environment() throws(LocalStackError) -> [String: String] {
        var environment = ProgramFinder.baseEnvironment(home: directory)
        environment["PATH"] = "\(try Self.programDirectory()):\(environment["PATH"] ?? "")"
        let own = [
            "NODENAME": nodeName, "NODE_IP_ADDRESS": "127.0.0.1", "NODE_PORT": "\(port)",
            "DIST_PORT": "\(distributionPort)", "BASE": directory, "MNESIA_BASE": mnesia,
            "LOG_BASE": "\(directory)/log", "PID_FILE": "\(directory)/pid",
            "ENABLED_PLUGINS_FILE": "\(directory)/enabled_plugins", "CONFIG_FILE": "\(directory)/rabbitmq.conf",
            "CONF_ENV_FILE": "\(directory)/none", "ADVANCED_CONFIG_FILE": "\(directory)/advanced.config",
            "FEATURE_FLAGS_FILE": "\(directory)/feature_flags", "GENERATED_CONFIG_DIR": "\(directory)/generated",
            "LOG": "-color",
            // The start script then replaces itself by the virtual machine, which thereby is the child that we watch.
            "ALLOW_INPUT": "1",
            "SERVER_ADDITIONAL_ERL_ARGS":
                "-start_epmd false +S 2:2 +SDcpu 1:1 +SDio 2 +A 4 +P 65536 +sbwt none +sbwtdcpu none +sbwtdio none",
        ]
        for (key, value) in own { environment["RABBITMQ_\(key)"] = value }
        environment["ERL_EPMD_PORT"] = "\(epmdPort)"
        environment["ERL_EPMD_ADDRESS"] = "127.0.0.1"
        return environment
    }

    private func configurationText() -> String {
        let lines =
            [
                "listeners.tcp.local = 127.0.0.1:\(port)", "definitions.import_backend = local_filesystem",
                "definitions.local.path = \(directory)/definitions.json",
                "definitions.skip_if_unchanged = true", "log.console = true", "log.console.level = warning",
                // Whether it answers is asked twice a second over connections that end with the question: no warning of each,
                // or nobody finds the others. What fails on a connection is still told.
                "log.connection.level = error", "log.console.use_colors = off",
                "log.file = false", "vm_memory_high_watermark.absolute = 512MB", "disk_free_limit.absolute = 64MB",
                "num_acceptors.tcp = 2", "heartbeat = 20",
            ] + configuration
        return lines.map { $0 + "\n" }.joined()
    }

    private func definitions() -> String {
        let hosts = ["/"] + virtualHosts
        let permissions = hosts.map {
            ["user": user, "vhost": $0, "configure": ".*", "write": ".*", "read": ".*"]
        }
        let document: [String: Any] = [
            "users": [["name": user, "password": password, "tags": "administrator"]],
            "vhosts": hosts.map { ["name": $0] },
            "permissions": permissions,
        ]
        let data = try? JSONSerialization.data(withJSONObject: document, options: [.sortedKeys, .prettyPrinted])
        return String(decoding: data ?? Data("{}".utf8), as: UTF8.self)
    }

    /// `amqp://…` for a virtual host; `/` is the default one.
    package func url(virtualHost: String = "/", portDistance: Int = 0) -> String {
        let path = virtualHost.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        return "amqp://\(user):\(password)@127.0.0.1:\(port + portDistance)/\(path)"
    }
}
