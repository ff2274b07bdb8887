import AuditService
import Gateway
import IdentityService
import LocalStack
import MFAService
import MicroMiddleware
import ProfileService
import SessionService

/// The services that this program can be.
enum ServiceCatalogue {
    /// Runs a service until it is told to stop.
    static func run(_ role: ServiceRole, settings: ServiceSettings, telemetry: Telemetry) async throws {
        switch role {
        case .identity:
            try await buildIdentityService(settings: settings, telemetry: telemetry).runUntilSignalled()
        case .session:
            try await buildSessionService(settings: settings, telemetry: telemetry).runUntilSignalled()
        case .profile:
            try await buildProfileService(settings: settings, telemetry: telemetry).runUntilSignalled()
        case .mfa:
            try await buildMFAService(settings: settings, telemetry: telemetry).runUntilSignalled()
        case .audit:
            try await buildAuditService(settings: settings, telemetry: telemetry).runUntilSignalled()
        case .gateway:
            try await buildGateway(settings: settings, telemetry: telemetry).runUntilSignalled()
        }
    }
}
