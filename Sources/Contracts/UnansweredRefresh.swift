package import Foundation

/// A refresh token that came to identity because session gave no answer.
package struct UnansweredRefresh: Codable, Sendable, Hashable {
    package var sessionID: UUID
    package var generation: Int64
    /// How often a fallback had given the token back before.
    package var edition: Int64
    package var askedAt: Date

    package init(sessionID: UUID, generation: Int64, edition: Int64, askedAt: Date) {
        self.sessionID = sessionID
        self.generation = generation
        self.edition = edition
        self.askedAt = askedAt
    }

    package enum CodingKeys: String, CodingKey {
        case sessionID = "sid"
        case generation, edition
        case askedAt = "asked_at"
    }
}

/// `POST /api/v1/internal/refreshes/unanswered`: what identity was asked while session gave no answer, so that session takes
/// back what it exchanged for nobody. Doing it twice is as good as once.
package struct UnansweredRefreshNotice: Codable, Sendable, Hashable {
    /// More are not taken at once.
    package static let maximumCount = 200

    package var refreshes: [UnansweredRefresh]

    package init(refreshes: [UnansweredRefresh]) {
        self.refreshes = refreshes
    }
}

/// How many exchanges were taken back.
package struct TakenBackCount: Codable, Sendable, Hashable {
    package var takenBack: Int

    package init(takenBack: Int) {
        self.takenBack = takenBack
    }

    package enum CodingKeys: String, CodingKey {
        case takenBack = "taken_back"
    }
}
