import ArgumentParser
import Foundation
import LocalStack
import Logging
import MicroMiddleware
import NIOCore

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs one service until SIGTERM or SIGINT.",
        discussion: "Configured by environment variables and configs/service/NAME.yaml: see `authms config reference`.")

    @Argument(help: "The service: identity, profile, session, mfa, audit or gateway.")
    var service: ServiceRole

    @Option(help: "The directory that has service/NAME.yaml and gateway/routes.yaml.")
    var configs = "configs"

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: "A setting over the environment and the file, as key=value; may be repeated.")
    var overrides: [String] = []

    func run() async throws {
        let settings = try await ServiceSettings.load(
            service: service.rawValue, arguments: try arguments(), environment: ProcessInfo.processInfo.environment,
            configDirectory: configs)
        let telemetry = try Telemetry(settings: settings)
        telemetry.adoptForProcess()
        try await checkNames(settings, telemetry)
        try checkPort(settings)
        // The gateway does all its work on event loops. The services' loops only read and write what Swift's own threads have
        // worked out: with as many of the one as of the other, they take turns where there are not cores for both.
        if service != .gateway { NIOSingletons.groupLoopCountSuggestion = max(1, System.coreCount / 2) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                // After three seconds the service has connected to all it needs, after fifteen all that it does from time to
                // time was done once.
                for pause in [3, 12] {
                    guard (try? await Task.sleep(for: .seconds(pause))) != nil else { return }
                    StartupPages.release()
                }
            }
            try await ServiceCatalogue.run(service, settings: settings, telemetry: telemetry)
            tasks.cancelAll()
        }
    }

    /// A key that nothing reads is a mistake: on the command line it is refused, in the file it is warned of, since a file
    /// may be meant for a newer version than this one.
    private func checkNames(_ settings: ServiceSettings, _ telemetry: Telemetry) async throws {
        let known = ConfigurationReference.names
        for name in try arguments().keys.sorted() where !known.contains(name) {
            throw ConfigurationError.unknown(name, source: "the command line", known: known)
        }
        for name in try settings.namesInFile() where !known.contains(name) {
            let sentence = ConfigurationError.unknown(name, source: settings.fileName, known: known).description
            telemetry.logger.warning("\(sentence) It has no effect.")
        }
    }

    /// Before anything is connected or migrated; whoever takes the port in between is found by the listener.
    private func checkPort(_ settings: ServiceSettings) throws {
        let (host, port) = (try settings.value(.httpHost), try settings.value(.httpPort(default: 0)))
        guard port > 0, ["127.0.0.1", "localhost", "0.0.0.0"].contains(host), !Ports.isFree(port) else { return }
        let holder = Ports.holder(of: port).map { "by \($0)" } ?? "by a process that cannot be named"
        throw LocalStackError(
            .inUse,
            "Port \(port), which \(service.rawValue) is to listen on, is in use \(holder): end that process, or set "
                + "HTTP_PORT to another.")
    }

    private func arguments() throws -> [String: String] {
        var arguments: [String: String] = [:]
        for override in overrides {
            let parts = override.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw ValidationError("--set takes key=value, not \"\(override)\".")
            }
            arguments[String(parts[0])] = String(parts[1])
        }
        return arguments
    }
}

extension ServiceRole: ExpressibleByArgument {}
