package import Contracts

/// What a login comes to: the tokens, or what is still needed for them.
package enum SignInOutcome: Sendable {
    case signedIn(SignInAnswer)
    /// The password was right; a second factor has to follow.
    case secondFactorDue(SecondFactorDue)
    /// The tenant requires a second factor, and the user has none yet.
    case enrolmentDue(EnrolmentDue)

    package var message: String {
        switch self {
        case .signedIn: "signed in"
        case .secondFactorDue: "a second factor is needed"
        case .enrolmentDue: "a second factor has to be set up"
        }
    }
}

extension SignInOutcome: Encodable {
    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .signedIn(let answer): try answer.encode(to: encoder)
        case .secondFactorDue(let answer): try answer.encode(to: encoder)
        case .enrolmentDue(let answer): try answer.encode(to: encoder)
        }
    }
}

/// `{requires_mfa: true, challenge_token, required_mfa_methods: […]}` and no tokens.
package struct SecondFactorDue: Encodable, Sendable {
    package let requiresMFA = true
    package let challengeToken: String
    /// Seconds.
    package let expiresIn: Int
    package let methods: [MFAMethod]
    /// What a browser's `navigator.credentials.get` takes, where the user has a passkey.
    package let webauthn: WebAuthnRequestOptions?

    package init(challengeToken: String, expiresIn: Int, methods: [MFAMethod], webauthn: WebAuthnRequestOptions?) {
        self.challengeToken = challengeToken
        self.expiresIn = expiresIn
        self.methods = methods
        self.webauthn = webauthn
    }

    package enum CodingKeys: String, CodingKey {
        case requiresMFA = "requires_mfa"
        case challengeToken = "challenge_token"
        case expiresIn = "expires_in"
        case methods = "required_mfa_methods"
        case webauthn = "webauthn_options"
    }
}

/// `{requires_mfa_setup: true, access_token, …}`: a token without roles that reaches the setting up of a second factor and
/// nothing else, and no refresh token.
package struct EnrolmentDue: Encodable, Sendable {
    package let requiresSetup = true
    package let accessToken: String
    package let tokenType = "Bearer"
    /// Seconds.
    package let expiresIn: Int

    package init(accessToken: String, expiresIn: Int) {
        self.accessToken = accessToken
        self.expiresIn = expiresIn
    }

    package enum CodingKeys: String, CodingKey {
        case requiresSetup = "requires_mfa_setup"
        case accessToken = "access_token"
        case tokenType = "token_type"
        case expiresIn = "expires_in"
    }
}
