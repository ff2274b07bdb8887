import ArgumentParser
import AuditService
import ConnectionKit
import Foundation
import LocalStack
import Logging
import Postgres

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings a service's database to where migrations/SERVICE ends; refuses one that differs from it.",
        discussion: """
            Without --database-url it is the private stack's database, which must run. The migrations are those of the checkout
            that this is run in, or that the program lies in, unless --directory or MIGRATIONS_DIRECTORY names others.
            """)

    @Argument(help: "The services; all that have a database when none is given.")
    var services: [ServiceRole] = []

    @Option(help: "The database of the one service that is given.")
    var databaseURL: String?

    @Option(help: "The role that the audit service works as, where it does not own its database.")
    var serviceRole: String?

    @Option(help: "Where SERVICE/0001_….sql lie, if not in the checkout's migrations.")
    var directory: String?

    func validate() throws {
        guard databaseURL == nil || services.count == 1 else {
            throw ValidationError("--database-url needs exactly one service.")
        }
        guard serviceRole == nil || services == [.audit] else {
            throw ValidationError("--service-role is for the audit service alone.")
        }
        guard !services.contains(.gateway) else { throw ValidationError("The gateway has no database.") }
    }

    func run() async throws {
        let directory = try sources()
        for role in services.isEmpty ? ServiceRole.withDatabase : services {
            guard let databaseURL else {
                let plan = try Local.existingPlan()
                try await migrate(
                    role, from: directory, url: plan.databases[role]?.ownerURL ?? "",
                    serviceRole: plan.databases[role]?.databases.first?.serviceRole?.name)
                continue
            }
            try await migrate(role, from: directory, url: databaseURL, serviceRole: serviceRole)
        }
    }

    /// The directory that is named, as for the services (`migrations.directory`), or that of the checkout.
    private func sources() throws -> String {
        if let directory { return directory }
        if let directory = Local.environment["MIGRATIONS_DIRECTORY"], !directory.isEmpty { return directory }
        return "\(try Local.layout().repository)/migrations"
    }

    private func migrate(
        _ role: ServiceRole, from directory: String, url: String, serviceRole: String?
    ) async throws {
        let configuration = try PostgresConfiguration(url: url)
        let logger = Logger(label: "authms.migrate")
        if role == .audit {
            do {
                let migration = AuditMigration(
                    owner: configuration, serviceRole: serviceRole ?? configuration.user,
                    directory: "\(directory)/audit", logger: logger)
                report(role, try await migration.run(deadline: .after(.seconds(600)), progress: Self.say(role)))
            } catch {
                throw Obstacle(what: "audit", cause: error)
            }
            return
        }
        let client = PostgresClient(configuration: configuration, logger: logger)
        do {
            let report = try await PostgresMigrator(client).migrate(
                try MigrationSet(directory: "\(directory)/\(role.rawValue)"), deadline: .after(.seconds(600)),
                progress: Self.say(role))
            await client.close()
            self.report(role, report)
        } catch {
            await client.close()
            throw Obstacle(what: role.rawValue, cause: error)
        }
    }

    private static func say(_ role: ServiceRole) -> @Sendable (MigrationProgress) -> Void {
        { progress in
            switch progress {
            case .applying(let label): Local.say("\(role.rawValue): applying \(label) …")
            case .waiting(let label, let wait): Local.say("\(role.rawValue): \(label) waits for \(wait) …")
            case .applied: break
            }
        }
    }

    private func report(_ role: ServiceRole, _ report: MigrationReport) {
        Local.say("\(role.rawValue): \(report.present.count) there before, \(report.applied.count) applied.")
    }
}
