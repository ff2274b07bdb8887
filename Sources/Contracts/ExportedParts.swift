/// `GET /api/v1/internal/users/{user_id}/export?tenant_id=`: what one service holds about a user, each part as the text of a
/// JSON value.
package struct ExportedParts: Codable, Sendable, Hashable {
    package var parts: [String: String]

    package init(parts: [String: String]) {
        self.parts = parts
    }
}
