import LocalStack
import MicroMiddleware

/// The services that this program can be.
enum ServiceCatalogue {
    /// Runs a service until it is told to stop.
    static func run(_ role: ServiceRole, settings: ServiceSettings, telemetry: Telemetry) async throws {
        throw LocalStackError(.usage, "The service \(role.rawValue) is not built yet.")
    }
}
