internal import Contracts
package import MicroMiddleware

extension IdentityError: APIErrorConvertible {
    package var apiError: APIError {
        switch self {
        case .invalid(let violations): APIError(.validationFailed, violations: violations)
        case .alreadyRegistered(let kind):
            APIError(
                .alreadyRegistered, violations: [Violation(field: kind.rawValue, message: "is already registered")])
        case .invalidCredentials: APIError(.invalidCredentials)
        case .codeInvalid: APIError(.codeInvalid)
        case .throttled(let wait):
            // Rounded up: who comes back at the second that was named is let in.
            APIError(.rateLimited, retryAfter: .seconds(max(1, (wait.milliseconds + 999) / 1_000)))
        case .proofNeeded: APIError(.proofRequired)
        case .reauthenticationNeeded: APIError(.reauthenticationRequired)
        case .lastOwner: APIError(.conflict, "A tenant keeps at least one owner: make somebody else one first.")
        case .accountDisabled: APIError(.accountDisabled)
        case .tenantUnknown: .invalid("tenant_id", "names no tenant that can be registered with")
        case .membershipPending: APIError(.membershipPending)
        case .invitationInvalid: .invalid("invitation_code", "is none that can be used here")
        case .invitationUnknown: APIError(.notFound, "There is no such invitation.")
        case .roleUnknown: APIError(.notFound, "There is no such role.")
        case .roleTaken: APIError(.conflict, violations: [Violation(field: "name", message: "is taken")])
        case .tenantTaken: APIError(.conflict, violations: [Violation(field: "slug", message: "is taken")])
        case .tenantNotFound: APIError(.notFound, "There is no such tenant.")
        case .beyondAuthority:
            APIError(.permissionDenied, "This would take permissions that you do not hold yourself.")
        case .holdsMoreElsewhere:
            APIError(
                .permissionDenied,
                "This user holds roles in another tenant, too: only they themselves can recover or move this account.")
        case .userUnknown: APIError(.notFound, "There is no such user.")
        case .homeTenantNeeded: APIError(.homeTenantRequired)
        case .refreshTokenInvalid: APIError(.refreshTokenInvalid)
        case .refreshTokenRevoked: APIError(.tokenRevoked)
        case .onlySessionKnows, .tooLittleTime: APIError(.dependencyUnavailable)
        case .challengeInvalid: APIError(.mfaChallengeInvalid)
        case .changedMeanwhile: APIError(.conflict)
        }
    }
}
