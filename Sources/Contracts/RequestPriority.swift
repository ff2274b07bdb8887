/// What a request is worth when not all can be served: the lowest is refused first, and the last to go is what keeps people
/// signed in. The gateway sheds load by it and a warming service admits by it, so that both protect the same paths.
public enum RequestPriority: String, Sendable, CaseIterable, Codable {
    /// Everything that can wait: registration, profiles, lists, administration.
    case other
    /// Signing in: login and what completes it.
    case login
    /// Staying in and getting out: refresh and logout.
    case refresh
    /// Whether a token holds: JWKS, introspection, the user's own `me`, and every authenticated read that is answered from memory.
    case verify
}

extension RequestPriority: Comparable {
    /// 0 for what is refused first.
    public var rank: Int {
        switch self {
        case .other: 0
        case .login: 1
        case .refresh: 2
        case .verify: 3
        }
    }

    public static func < (left: RequestPriority, right: RequestPriority) -> Bool { left.rank < right.rank }
}
