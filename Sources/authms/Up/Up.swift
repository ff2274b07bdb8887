import ArgumentParser
import Foundation
import Gateway
import LocalStack
import Logging
import MicroMiddleware
import Recovery
import ServiceLifecycle
import UnixSignals

struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Runs the whole suite on this machine, with PostgreSQL, Redis and RabbitMQ of its own under .authms/.",
        discussion: """
            Ctrl-C stops everything in order; the data stays until `authms down --wipe`. AUTHMS_PORT_OFFSET moves all
            ports, for other commands and later starts as well, AUTHMS_REPLICAS is as good as --replicas. The services get
            all environment variables of `authms config reference`, but for those that the suite makes itself (addresses,
            ports, directories, secrets) and GATEWAY_TLS_…: the suite speaks plain HTTP on 127.0.0.1.
            """)

    @Flag(help: "Runs the servers without our services, for one that is run in a debugger.")
    var infrastructureOnly = false

    @Flag(
        help: "Puts a proxy in front of each database, Redis and RabbitMQ, for `authms drill` to refuse, stall and cut."
    )
    var proxied = false

    @Option(help: "How many processes each service has (1 to 4): identity, identity-2, …")
    var replicas: Int?

    func run() async throws {
        let layout = try Local.layout()
        if !infrastructureOnly { try await refuseTLS(layout) }
        let lock = try StackLock(layout)
        try Files.makeDirectory(layout.logDirectory)
        let plan = StackPlan(
            layout: layout, secrets: try StackSecrets.loadOrMake(in: layout),
            executable: StackLayout.currentExecutable, settings: Local.settings,
            replicas: try Local.replicas(asked: replicas), withServices: !infrastructureOnly, isProxied: proxied)
        try Preflight.check(plan)
        try LocalKeys.make(in: layout)
        // Clusters that are made now are the one step that takes longer than a glance.
        if !Files.exists("\(layout.root)/pg/audit/initialised") {
            Local.say("First start: making five PostgreSQL clusters under \(layout.root) …")
        }
        try PortOffset.record(in: layout)
        try HandedOnSettings.record(Local.settings, in: layout)
        try await supervise(plan)
        withExtendedLifetime(lock) {}
    }

    /// The supervisor, and every command that speaks to the gateway, does so in plain HTTP: with TLS it would never become
    /// ready.
    private func refuseTLS(_ layout: StackLayout) async throws {
        let gateway = try await ServiceSettings.load(
            service: ServiceRole.gateway.rawValue, environment: Local.settings,
            configDirectory: "\(layout.repository)/configs", environmentFile: "\(layout.repository)/.env")
        for key in [ConfigurationKey<String>.gatewayCertificateFile, .gatewayPrivateKeyFile]
        where try gateway.valueIfPresent(key) != nil {
            throw ConfigurationError.refused(
                key.summary.name,
                "\(key.summary.name) is set, but the gateway of `authms up` speaks plain HTTP, on 127.0.0.1 alone: unset "
                    + "\(key.summary.environmentName), or give it to `authms serve gateway`.")
        }
    }

    private func supervise(_ plan: StackPlan) async throws {
        let display = StatusDisplay()
        let startedAt = ContinuousClock.now
        let withServices = !infrastructureOnly
        let observer = StackSupervisor.Observer(
            changed: { display.show($0) },
            becameReady: {
                let seconds = startedAt.duration(to: .now).formatted(.units(fractionalPart: .show(length: 1)))
                guard withServices else { return display.say("Ready after \(seconds), without services.") }
                let administrator = try await Administrator.makeFirst(in: plan)
                display.say(Welcome(plan: plan).text(readyAfter: seconds, administrator: administrator))
            },
            stopping: { display.say("\nStopping everything in order; the data stays.") })
        var logger = Logger(label: "authms") { StreamLogHandler.standardError(label: $0) }
        // The control socket's server reports its own cancellation, which is how it is stopped, as an error.
        logger.logLevel = .critical
        let supervisor = StackSupervisor(plan: plan, observer: observer, logger: logger)
        let links = LinkBoard(plan: plan, logger: logger)
        try await links.start()
        // Of an earlier suite that ended without a word.
        if !proxied { try Files.remove(plan.layout.linkSocket) }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: (proxied ? [.init(service: links)] : []) + [
                    .init(
                        service: SupervisorService(supervisor: supervisor),
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                ], gracefulShutdownSignals: [.sigint, .sigterm, .sighup], logger: logger))
        try await group.run()
        display.say("Everything has stopped. `make up` starts it again with its data.")
    }
}

/// The supervisor as the one member of the command's service group, which turns Ctrl-C into a graceful shutdown.
private struct SupervisorService: Service {
    let supervisor: StackSupervisor

    func run() async throws { try await supervisor.run() }
}
