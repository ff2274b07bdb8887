// The degraded-mode contract: what is promised of each capability while something is gone.

extension Cause {
    /// The contract's cell: of several causes the worst, never worse.
    package func promise(of capability: Capability) -> Promise {
        // Each can sign for the other; without both nobody is left who can.
        if units.contains("identity"), units.contains("session"), capability == .refresh { return .refused }
        return units.map { Self.promise(of: capability, without: $0) }.max() ?? .works
    }

    private static func promise(of capability: Capability, without unit: String) -> Promise {
        switch unit {
        case "identity", "postgres-identity":
            switch capability {
            case .login, .loginMFA, .register: .refused
            case .verify, .refresh, .profile, .logout, .audit: .works
            }
        case "session", "postgres-session":
            switch capability {
            case .refresh, .login, .loginMFA: .degraded
            case .logout: .refused
            case .verify, .register, .profile, .audit: .works
            }
        case "profile", "postgres-profile": capability == .profile ? .refused : .works
        // Fails closed: whoever has a second factor is not let in without it.
        case "mfa", "postgres-mfa": capability == .loginMFA ? .refused : .works
        case "audit", "postgres-audit", "rabbitmq": capability == .audit ? .degraded : .works
        default: .works
        }
    }
}
