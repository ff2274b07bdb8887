/// The kinds of requests whose times must not depend on how many users there are.
enum ScaleRequest: CaseIterable, Sendable {
    case login, refresh, sessions
    /// By address, name, state and role, and the third page.
    case search
    /// By a beginning that everybody's address has.
    case broadSearch

    var name: String {
        switch self {
        case .login: "Login"
        case .refresh: "Refresh"
        case .sessions: "List of one's sessions"
        case .search: "Administrators' search"
        case .broadSearch: "Administrators' search for what all have"
        }
    }

    /// In one pass. The lists of all passes are of users of their own, since a list that was read is cached.
    var count: Int {
        switch self {
        case .login: 70
        case .refresh: 700
        case .sessions: 300
        case .search: 170
        case .broadSearch: 50
        }
    }

    /// Few: a time is wanted, not a queue's length. Two for logins, which are bound by the hash.
    var connections: Int { self == .login ? 2 : 4 }
}
