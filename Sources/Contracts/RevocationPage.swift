/// `GET /api/v1/internal/revocations?after=…&limit=…`: revocations in force. One may come again on the next page: taking it
/// in twice changes nothing.
package struct RevocationPage: Codable, Sendable, Hashable {
    package var revocations: [Revocation]
    /// What to ask with next; less than `after` when the session database was restored to the past, in which case to
    /// begin again at 0.
    package var next: Int64
    /// Whether there is more at once.
    package var hasMore: Bool

    package init(revocations: [Revocation], next: Int64, hasMore: Bool) {
        self.revocations = revocations
        self.next = next
        self.hasMore = hasMore
    }

    package enum CodingKeys: String, CodingKey {
        case revocations, next
        case hasMore = "has_more"
    }
}
