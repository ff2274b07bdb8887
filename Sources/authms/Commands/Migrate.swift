import ArgumentParser
import ConnectionKit
import Foundation
import LocalStack
import Logging
import Postgres

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings a service's database to where migrations/SERVICE ends; refuses one that differs from it.",
        discussion: "Without --database-url it is the private stack's database, which must run.")

    @Argument(help: "The services; all that have a database when none is given.")
    var services: [ServiceRole] = []

    @Option(help: "The database of the one service that is given.")
    var databaseURL: String?

    @Option(help: "Where SERVICE/0001_….sql lie.")
    var directory = "migrations"

    func validate() throws {
        guard databaseURL == nil || services.count == 1 else {
            throw ValidationError("--database-url needs exactly one service.")
        }
        guard !services.contains(.gateway) else { throw ValidationError("The gateway has no database.") }
    }

    func run() async throws {
        for role in services.isEmpty ? ServiceRole.withDatabase : services {
            let url: String
            if let databaseURL {
                url = databaseURL
            } else {
                url = try Local.existingPlan().databases[role]?.ownURL ?? ""
            }
            try await migrate(role, url: url)
        }
    }

    private func migrate(_ role: ServiceRole, url: String) async throws {
        let client = PostgresClient(
            configuration: try PostgresConfiguration(url: url), logger: Logger(label: "authms.migrate"))
        do {
            let report = try await PostgresMigrator(client).migrate(
                try MigrationSet(directory: "\(directory)/\(role.rawValue)"), deadline: .after(.seconds(600))
            ) { progress in
                if case .applying(let label) = progress { Local.say("\(role.rawValue): applying \(label) …") }
            }
            await client.close()
            Local.say("\(role.rawValue): \(report.present.count) there before, \(report.applied.count) applied.")
        } catch {
            await client.close()
            throw LocalStackError(.failedToStart, "\(role.rawValue): \(error)")
        }
    }
}
