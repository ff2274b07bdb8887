/// What went wrong, in the form that clients may rely on: an integer that begins with an HTTP status, and a stable name.
///
/// The catalogue is closed: every code that a service answers with is one of the static members here, and the
/// documentation of the API is rendered from ``all``.
package struct ErrorCode: Sendable, Hashable {
    /// The integer in `code`: the status of its family followed by three digits.
    package let value: Int
    /// The name in `error`: snake case, never changed once published.
    package let name: String
    /// The HTTP status of the answer. It differs from the integer's first three digits only for ``refreshTokenReused``.
    package let status: Int
    /// What the client is told when the place that fails has nothing better to say.
    package let message: String

    init(_ value: Int, _ name: String, status: Int? = nil, _ message: String) {
        self.value = value
        self.name = name
        self.status = status ?? value / 1_000
        self.message = message
    }

    package static func == (left: ErrorCode, right: ErrorCode) -> Bool { left.value == right.value }

    package func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

extension ErrorCode {
    package static let badRequest = ErrorCode(400_001, "bad_request", "The request cannot be understood.")
    package static let refreshTokenReused = ErrorCode(
        400_002, "refresh_token_reused", status: 401,
        "This refresh token was used before. The session has been ended; sign in again.")

    package static let codeInvalid = ErrorCode(
        400_003, "code_invalid", "The code is wrong, used or has expired. Ask for a new one.")

    package static let invalidCredentials = ErrorCode(
        401_001, "invalid_credentials", "The identity or the password is wrong.")
    package static let tokenInvalid = ErrorCode(401_002, "token_invalid", "A valid access token is needed.")
    package static let tokenRevoked = ErrorCode(
        401_003, "token_revoked", "This token has been revoked. Sign in again.")
    package static let tokenExpired = ErrorCode(
        401_004, "token_expired", "This token has expired. Refresh it or sign in again.")
    package static let refreshTokenInvalid = ErrorCode(
        401_005, "refresh_token_invalid", "A valid refresh token is needed. Sign in again.")

    package static let mfaCodeInvalid = ErrorCode(401_010, "mfa_code_invalid", "The code or key is wrong.")
    package static let mfaChallengeInvalid = ErrorCode(
        401_011, "mfa_challenge_invalid", "This challenge is over or has been used. Sign in again.")

    package static let permissionDenied = ErrorCode(403_001, "permission_denied", "You may not do this.")
    package static let passwordChangeRequired = ErrorCode(
        403_002, "password_change_required", "Change your password first.")
    package static let accountDisabled = ErrorCode(403_003, "account_disabled", "This account is disabled.")

    package static let reauthenticationRequired = ErrorCode(
        403_004, "reauthentication_required",
        "You signed in too long ago for this. Prove who you are at POST /auth/re-authenticate and use the token from there."
    )
    package static let mfaSetupRequired = ErrorCode(
        403_010, "mfa_setup_required", "Your organisation requires a second factor. Set one up, then sign in again.")
    package static let stepUpRequired = ErrorCode(
        403_011, "step_up_required", "Prove who you are once more, then try again.")
    package static let mfaOff = ErrorCode(403_012, "mfa_off", "Your organisation does not use second factors.")
    package static let membershipPending = ErrorCode(
        403_020, "membership_pending", "An administrator has yet to approve this membership.")

    package static let homeTenantRequired = ErrorCode(
        403_021, "home_tenant_required",
        "You are a guest here. Switch to your home tenant at POST /auth/me/switch-tenant, then try again.")

    package static let notFound = ErrorCode(404_001, "not_found", "There is nothing here.")
    package static let methodNotAllowed = ErrorCode(
        405_001, "method_not_allowed", "This path does not answer to this method.")
    package static let requestTimeout = ErrorCode(
        408_001, "request_timeout", "The body did not arrive in time. Send the request again.")
    package static let alreadyRegistered = ErrorCode(409_001, "already_registered", "This identity is already taken.")
    package static let conflict = ErrorCode(
        409_002, "conflict", "The request contradicts the present state. Read it again and retry.")
    package static let sessionLimitReached = ErrorCode(
        409_003, "session_limit_reached",
        "You are signed in on as many devices as you may be. Sign out on one of them first.")
    package static let preconditionFailed = ErrorCode(
        412_001, "precondition_failed", "It has changed since you read it. Read it again and retry.")
    package static let bodyTooLarge = ErrorCode(413_001, "body_too_large", "The body is larger than 1 MiB.")
    package static let unsupportedMediaType = ErrorCode(
        415_001, "unsupported_media_type", "The body must be application/json.")
    package static let validationFailed = ErrorCode(
        422_001, "validation_failed", "Some fields are missing or wrong.")
    package static let rateLimited = ErrorCode(429_001, "rate_limited", "Too many requests. Try again later.")

    package static let proofRequired = ErrorCode(
        429_002, "proof_required",
        "Signing in needs a proof of work now: solve a challenge of POST /public/login-challenge and send it as proof.")

    package static let `internal` = ErrorCode(
        500_001, "internal_error", "Something went wrong on our side. It has been logged under this request's id.")
    package static let overloaded = ErrorCode(503_001, "overloaded", "Too much work at the moment. Try again shortly.")
    package static let warmingUp = ErrorCode(503_002, "warming_up", "The service is starting. Try again shortly.")
    package static let dependencyUnavailable = ErrorCode(
        503_003, "dependency_unavailable", "Something that this needs is down. Try again shortly.")
    package static let deadlineExceeded = ErrorCode(
        504_001, "deadline_exceeded", "The request took longer than it was given.")

    /// Every code, in ascending order.
    package static let all: [ErrorCode] = [
        .badRequest, .refreshTokenReused, .codeInvalid, .invalidCredentials, .tokenInvalid, .tokenRevoked,
        .tokenExpired, .refreshTokenInvalid, .mfaCodeInvalid, .mfaChallengeInvalid, .permissionDenied,
        .passwordChangeRequired, .accountDisabled, .reauthenticationRequired, .mfaSetupRequired, .stepUpRequired,
        .mfaOff, .membershipPending, .homeTenantRequired, .notFound, .methodNotAllowed, .requestTimeout,
        .alreadyRegistered, .conflict,
        .sessionLimitReached, .preconditionFailed, .bodyTooLarge, .unsupportedMediaType, .validationFailed,
        .rateLimited, .proofRequired, .internal, .overloaded, .warmingUp, .dependencyUnavailable, .deadlineExceeded,
    ]
}
