package import Contracts
package import Foundation
package import Postgres

/// What a service holds about a person, declared once: how it is erased and how it is given out.
package struct PersonalData: Sendable {
    /// One part of an export: its name, and a statement whose one row has the part as the JSON text `json`.
    package struct Part: Sendable {
        package let name: String
        package let sql: SQL

        package init(_ name: String, _ sql: SQL) {
            self.name = name
            self.sql = sql
        }
    }

    package let source: EventSource
    /// The statements that leave nothing of the user of the tenant, run in one transaction.
    package let erasure: @Sendable (_ user: UUID, _ tenant: UUID) -> [SQL]
    package let export: @Sendable (_ user: UUID, _ tenant: UUID) -> [Part]

    package init(
        source: EventSource, erasure: @escaping @Sendable (UUID, UUID) -> [SQL],
        export: @escaping @Sendable (UUID, UUID) -> [Part]
    ) {
        self.source = source
        self.erasure = erasure
        self.export = export
    }

    /// What is published once the user's data is gone from this service.
    package static func erased(_ source: EventSource) -> EventType {
        EventType(rawValue: "\(source.rawValue).user.erased")
    }
}
