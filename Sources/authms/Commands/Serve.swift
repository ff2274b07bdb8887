import ArgumentParser
import Foundation
import LocalStack
import MicroMiddleware

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
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                // By then the service has connected to all it needs, and what starting touched is touched.
                guard (try? await Task.sleep(for: .seconds(3))) != nil else { return }
                StartupPages.release()
            }
            try await ServiceCatalogue.run(service, settings: settings, telemetry: telemetry)
            tasks.cancelAll()
        }
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
