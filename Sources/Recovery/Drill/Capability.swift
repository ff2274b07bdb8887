/// What a user asks of the suite, and what the trail has of it: a column of the degraded-mode contract.
package enum Capability: String, Sendable, CaseIterable, Codable {
    case verify, refresh, login
    /// A login with a one-time password as second factor.
    case loginMFA = "login-mfa"
    case register, profile, logout
    /// That every acknowledged change has its one record, and how soon.
    case audit

    /// How often a second in the mix that every promise is measured under; the trail is looked at, not asked.
    package var perSecond: Int {
        switch self {
        case .verify: 150
        case .refresh: 40
        // Five logins in all.
        case .login: 4
        case .loginMFA: 1
        case .register: 1
        case .profile: 2
        case .logout: 4
        case .audit: 0
        }
    }

    /// Those that the load sends.
    package static var sent: [Capability] { allCases.filter { $0.perSecond > 0 } }
}

/// What is promised of a capability. The order is from best to worst.
package enum Promise: String, Sendable, Codable, Comparable {
    case works
    /// Less than usual: an access token of five minutes, no refresh token, or a record that comes later.
    case degraded
    /// 503 with Retry-After, at once.
    case refused

    package static func < (left: Promise, right: Promise) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .works: 0
        case .degraded: 1
        case .refused: 2
        }
    }
}
