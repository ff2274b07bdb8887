package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

extension PostgresProfileRepository {
    package func avatar(
        of userID: UUID, tenantID: UUID, deadline: Deadline
    ) async throws -> (avatar: Avatar, visibility: Visibility)? {
        let row = try await database.query(
            """
            SELECT a.content_type, a.width, a.height, a.content, p.privacy->>'avatar_url' AS visibility
            FROM avatars a JOIN profiles p USING (user_id, tenant_id)
            WHERE a.user_id = \(userID) AND a.tenant_id = \(tenantID)
            """, actingFor: tenantID, deadline: deadline
        ).first
        return try row.map { row in
            let avatar = Avatar(
                contentType: try row.decode(String.self, "content_type"), width: try row.decode(Int.self, "width"),
                height: try row.decode(Int.self, "height"), bytes: Array(try row.decode(Data.self, "content")))
            let chosen = try row.decode(String?.self, "visibility").flatMap(Visibility.init(rawValue:))
            return (avatar, chosen ?? ProfileField.avatarURL.defaultVisibility)
        }
    }

    package func setAvatar(
        _ avatar: Avatar?, of userID: UUID, tenantID: UUID, expected: Int64?, event: DomainEvent, deadline: Deadline
    ) async throws -> Profile {
        try await change(
            userID, tenantID: tenantID, expected: expected, event: event, deadline: deadline
        ) { profile in
            profile.fields[.avatarURL] = avatar.map { FieldValue.text($0.address(of: userID)) }
        } finish: { _, _, connection in
            guard let avatar else {
                try await connection.query(
                    "DELETE FROM avatars WHERE user_id = \(userID) AND tenant_id = \(tenantID)")
                return
            }
            try await connection.query(
                """
                INSERT INTO avatars (user_id, tenant_id, content_type, width, height, content)
                VALUES (\(userID), \(tenantID), \(avatar.contentType), \(avatar.width), \(avatar.height),
                    \(Data(avatar.bytes)))
                ON CONFLICT (user_id, tenant_id) DO UPDATE SET content_type = excluded.content_type, width = excluded.width,
                    height = excluded.height, content = excluded.content, changed_at = now()
                """)
        }
    }

    package func customFields(of tenantID: UUID, deadline: Deadline) async throws -> CustomFieldSchema? {
        let text = try await database.query(
            "SELECT fields::text FROM custom_field_schemas WHERE tenant_id = \(tenantID)", actingFor: tenantID,
            deadline: deadline
        ).first?.decode(String.self, "fields")
        return try text.map {
            CustomFieldSchema(fields: try StrictJSON.decode([String: CustomField].self, from: Array($0.utf8)))
        }
    }

    package func setCustomFields(
        _ schema: CustomFieldSchema?, of tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws {
        if let schema {
            try await database.query(
                """
                WITH changed AS (
                    INSERT INTO custom_field_schemas (tenant_id, fields)
                    VALUES (\(tenantID), \(try Self.json(schema.fields))::jsonb)
                    ON CONFLICT (tenant_id) DO UPDATE SET fields = excluded.fields, changed_at = now()
                )
                \(Outbox.insertSQL(event))
                """, actingFor: tenantID, deadline: deadline)
        } else {
            try await database.query(
                """
                WITH gone AS (DELETE FROM custom_field_schemas WHERE tenant_id = \(tenantID))
                \(Outbox.insertSQL(event))
                """, actingFor: tenantID, deadline: deadline)
        }
        outbox.wake(.soon)
    }
}
