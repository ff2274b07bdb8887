package import Foundation

/// Whether what an event tells of succeeded.
package enum EventStatus: String, Sendable, Hashable, Codable {
    case success, failure
}

/// The `data` that most events carry: who did it, from where, with what outcome.
///
/// Audit lifts these members into columns of its record; everything else in `data` stays readable there as metadata.
/// No secret ever: no password, hash, code or token. What a person is called stands in ``personal`` alone, which the trail leaves
/// out since it outlives the account: it says by id whom something is about, and of a change which fields it was.
package struct EventDetail: Sendable, Hashable, Codable {
    package var actorID: UUID?
    /// `user`, `service` or `anonymous`; the record says `user` where only an actor id is given.
    package var actorType: String?
    package var sessionID: UUID?
    package var ip: String?
    package var userAgent: String?
    package var requestID: String?
    package var status: EventStatus?
    package var message: String?
    /// What belongs to this type of event alone: short texts under snake_case names.
    package var details: [String: String]?
    /// What somebody is called from now on, for services that keep a copy. The trail does not keep it.
    package var personal: [String: String]?

    enum CodingKeys: String, CodingKey {
        case actorID = "actor_id"
        case actorType = "actor_type"
        case sessionID = "session_id"
        case ip
        case userAgent = "user_agent"
        case requestID = "request_id"
        case status, message, details, personal
    }

    package init(
        actorID: UUID? = nil, actorType: String? = nil, sessionID: UUID? = nil, ip: String? = nil,
        userAgent: String? = nil, requestID: String? = nil, status: EventStatus? = nil, message: String? = nil,
        details: [String: String]? = nil, personal: [String: String]? = nil
    ) {
        self.actorID = actorID
        self.actorType = actorType
        self.sessionID = sessionID
        self.ip = ip
        self.userAgent = userAgent
        self.requestID = requestID
        self.status = status
        self.message = message
        self.details = details
        self.personal = personal
    }

    /// Identifiers in lower case, as everywhere outside of Swift; what is absent is left out.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(actorID?.text, forKey: .actorID)
        try container.encodeIfPresent(actorType, forKey: .actorType)
        try container.encodeIfPresent(sessionID?.text, forKey: .sessionID)
        try container.encodeIfPresent(ip, forKey: .ip)
        try container.encodeIfPresent(userAgent, forKey: .userAgent)
        try container.encodeIfPresent(requestID, forKey: .requestID)
        try container.encodeIfPresent(status, forKey: .status)
        try container.encodeIfPresent(message, forKey: .message)
        try container.encodeIfPresent(details, forKey: .details)
        try container.encodeIfPresent(personal, forKey: .personal)
    }
}
