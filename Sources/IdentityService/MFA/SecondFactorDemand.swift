import Contracts

/// What a login needs beyond the password.
package enum SecondFactorDemand: Sendable, Hashable {
    case nothing
    /// One of the factors that the user has.
    case proof
    /// That the user sets one up, which the tenant requires.
    case enrolment
}

extension Account {
    /// Decided from what this service's own database holds, so that it holds while the mfa service is away.
    package var secondFactorDemand: SecondFactorDemand {
        if mfaPolicy.mode == .off { return .nothing }
        if !secondFactors.isEmpty { return .proof }
        return mfaPolicy.requires(of: user.roles) ? .enrolment : .nothing
    }
}
