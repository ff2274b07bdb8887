import LocalStack
import TestSupport
import Testing

@Suite("What the services of a stack are configured with")
struct StackPlanTests {
    private func plan(settings: [String: String], replicas: Int = 1) throws -> StackPlan {
        let layout = StackLayout(repository: try TestDirectory.make("plan"))
        return StackPlan(
            layout: layout, secrets: try StackSecrets.loadOrMake(in: layout), executable: "/nowhere",
            settings: settings, replicas: replicas)
    }

    @Test("A setting of the caller reaches every service, over the plan's defaults, too")
    func handedOn() throws {
        let settings = [
            "SESSION_IDLE_TIMEOUT": "7d", "WEBAUTHN_RP_ID": "example.org", "AUDIT_RETENTION_MONTHS": "24",
            "HTTP_DRAIN_DELAY": "3s", "GATEWAY_PUBLIC_URL": "https://id.example.org",
        ]
        let services = try plan(settings: settings, replicas: 2).services
        #expect(services.count == 12)
        for service in services {
            for (name, value) in settings { #expect(service.environment[name] == value, "\(service.name): \(name)") }
        }
        let gateway = try plan(settings: [:]).services.first { $0.role == .gateway }
        #expect(gateway?.environment["GATEWAY_PUBLIC_URL"] == "http://127.0.0.1:11080")
        #expect(gateway?.environment["HTTP_DRAIN_DELAY"] == "0s")
    }

    @Test("What the plan makes for one service, a caller's value reaches none of")
    func own() throws {
        let names = [
            "HTTP_HOST", "HTTP_PORT", "DATABASE_URL", "DATABASE_MIGRATION_URL", "REDIS_URL", "RABBITMQ_URL",
            "KEYS_DIRECTORY", "KEYS_JWKS_FILE", "AUDIT_KEYS_DIRECTORY", "AUDIT_CHECKPOINT_DIRECTORY",
            "MIGRATIONS_DIRECTORY", "MAIL_DIRECTORY", "INTERNAL_SECRET", "PASSWORD_PEPPER", "MFA_ENCRYPTION_KEY",
            "SERVICES_IDENTITY_URL", "SERVICES_AUDIT_URL",
        ]
        let theirs = Dictionary(uniqueKeysWithValues: names.map { ($0, "theirs") })
        for service in try plan(settings: theirs).services {
            #expect(service.environment.filter { $0.value == "theirs" }.isEmpty, "\(service.name)")
        }
        let gateway = try plan(settings: theirs).services.first { $0.role == .gateway }
        #expect(gateway?.environment["DATABASE_URL"] == nil)
        #expect(gateway?.environment["PASSWORD_PEPPER"] == nil)
    }

    @Test("What a start was given is known to the commands that come later")
    func recorded() throws {
        let layout = StackLayout(repository: try TestDirectory.make("settings"))
        #expect(HandedOnSettings.recorded(in: layout) == nil)
        try Files.makeDirectory(layout.secretsDirectory)
        try HandedOnSettings.record(["TOKEN_LIFETIME": "5m"], in: layout)
        #expect(HandedOnSettings.recorded(in: layout) == ["TOKEN_LIFETIME": "5m"])
    }
}
