package import Contracts
package import Foundation
package import Postgres

/// What a service holds about a person, declared once: how it is erased and how it is given out. By the user's id alone: a guest
/// leaves data in other tenants than their own, also in such as they have left since.
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
    /// The statements that leave nothing of the user in any tenant, run in one transaction.
    package let erasure: @Sendable (_ user: UUID) -> [SQL]
    /// What there is of the user in any tenant; `tenants` are those that they belong to, for a store that looks in one at a time.
    package let export: @Sendable (_ user: UUID, _ tenants: [UUID]) -> [Part]

    package init(
        source: EventSource, erasure: @escaping @Sendable (UUID) -> [SQL],
        export: @escaping @Sendable (UUID, [UUID]) -> [Part]
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
