internal import ConnectionKit
internal import Contracts
internal import Foundation
package import Hummingbird
package import Postgres

/// Gives the identity service what this service holds about a user: for the user's own export.
package struct PersonalDataController: Sendable {
    private let data: PersonalData
    private let database: PostgresClient

    package init(_ data: PersonalData, database: PostgresClient) {
        self.data = data
        self.database = database
    }

    /// Adds the route to a group at `api/v1/internal`.
    package func addRoutes(to group: some RouterMethods<InternalRequestContext>) {
        group.get("users/:user_id/export", use: export)
    }

    @Sendable private func export(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<ExportedParts> {
        guard let user = context.parameters.get("user_id", as: UUID.self),
            let home = request.uri.queryParameters["tenant_id"].flatMap({ UUID(uuidString: String($0)) })
        else { throw APIError.invalid("tenant_id", "must be a UUID") }
        // An identity service of before names the home tenant alone.
        let hosts = (request.uri.queryParameters["host_tenant_ids"] ?? "").split(separator: ",")
            .compactMap { UUID(uuidString: String($0)) }
        // As of one moment, so that the parts agree. For all tenants: the user's own data is in all that they work in.
        let parts = try await database.withTransaction(
            beginningWith: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            deadline: context.deadline.capped(at: .seconds(8))
        ) { connection in
            var parts: [String: String] = [:]
            for part in data.export(user, [home] + hosts) {
                let text: String? = try await connection.query(part.sql).first.flatMap { row in
                    try row.decode(String?.self, "json")
                }
                parts[part.name] = text ?? "null"
            }
            return parts
        }
        return Envelope(ExportedParts(parts: parts))
    }
}
