/// What a tenant asks of its users' sessions. What is nil is as the session service is configured.
///
/// It travels with the request to open a session and stays with the session: a change holds for those that begin later.
package struct SessionPolicy: Codable, Sendable, Hashable {
    /// What becomes of a login that would be one session too many.
    package enum AtLimit: String, Codable, Sendable, CaseIterable {
        /// It succeeds, and the session that was refreshed longest ago ends.
        case endOldest = "end_oldest"
        /// It is refused.
        case refuse
    }

    /// How many live sessions a user may have: 1 to 1,000.
    package var maximumSessions: Int?
    package var atLimit: AtLimit
    /// How long a session lives without a refresh, in seconds: 60 to a year.
    package var idleTimeoutSeconds: Int?
    /// How long a session lives however often it is refreshed, in seconds: 60 to ten years.
    package var absoluteTimeoutSeconds: Int?

    package init(
        maximumSessions: Int? = nil, atLimit: AtLimit = .endOldest, idleTimeoutSeconds: Int? = nil,
        absoluteTimeoutSeconds: Int? = nil
    ) {
        self.maximumSessions = maximumSessions
        self.atLimit = atLimit
        self.idleTimeoutSeconds = idleTimeoutSeconds
        self.absoluteTimeoutSeconds = absoluteTimeoutSeconds
    }

    package enum CodingKeys: String, CodingKey {
        case maximumSessions = "max_sessions"
        case atLimit = "at_limit"
        case idleTimeoutSeconds = "idle_timeout_s"
        case absoluteTimeoutSeconds = "absolute_timeout_s"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            maximumSessions: try container.decodeIfPresent(Int.self, forKey: .maximumSessions),
            atLimit: try container.decodeIfPresent(AtLimit.self, forKey: .atLimit) ?? .endOldest,
            idleTimeoutSeconds: try container.decodeIfPresent(Int.self, forKey: .idleTimeoutSeconds),
            absoluteTimeoutSeconds: try container.decodeIfPresent(Int.self, forKey: .absoluteTimeoutSeconds))
    }
}
