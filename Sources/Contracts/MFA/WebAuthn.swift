/// `PublicKeyCredentialRequestOptionsJSON` (W3C Web Authentication Level 3, section 5.1.10), as far as it is used here.
package struct WebAuthnRequestOptions: Codable, Sendable, Hashable {
    /// base64url
    package var challenge: String
    package var rpID: String
    /// Milliseconds.
    package var timeout: Int
    package var userVerification: String
    /// Empty where any discoverable credential will do.
    package var allowCredentials: [WebAuthnDescriptor]

    package init(
        challenge: String, rpID: String, timeout: Int, userVerification: String,
        allowCredentials: [WebAuthnDescriptor]
    ) {
        self.challenge = challenge
        self.rpID = rpID
        self.timeout = timeout
        self.userVerification = userVerification
        self.allowCredentials = allowCredentials
    }

    package enum CodingKeys: String, CodingKey {
        case challenge
        case rpID = "rpId"
        case timeout, userVerification, allowCredentials
    }
}

/// `PublicKeyCredentialDescriptorJSON`
package struct WebAuthnDescriptor: Codable, Sendable, Hashable {
    package var type = "public-key"
    /// base64url
    package var id: String
    package var transports: [String]

    package init(id: String, transports: [String] = []) {
        self.id = id
        self.transports = transports
    }
}

/// `RegistrationResponseJSON` or `AuthenticationResponseJSON` (W3C Web Authentication Level 3, section 5.1): what a
/// browser's `credential.toJSON()` gives. Binary members are base64url.
package struct WebAuthnCredential: Codable, Sendable, Hashable {
    package struct Response: Codable, Sendable, Hashable {
        package var clientDataJSON: String
        /// Of a registration.
        package var attestationObject: String?
        package var transports: [String]?
        /// Of an authentication, as the rest.
        package var authenticatorData: String?
        package var signature: String?
        package var userHandle: String?

        package init(
            clientDataJSON: String, attestationObject: String? = nil, transports: [String]? = nil,
            authenticatorData: String? = nil, signature: String? = nil, userHandle: String? = nil
        ) {
            self.clientDataJSON = clientDataJSON
            self.attestationObject = attestationObject
            self.transports = transports
            self.authenticatorData = authenticatorData
            self.signature = signature
            self.userHandle = userHandle
        }
    }

    package var id: String
    package var type: String
    package var response: Response

    package init(id: String, type: String, response: Response) {
        self.id = id
        self.type = type
        self.response = response
    }
}

/// `PublicKeyCredentialCreationOptionsJSON` (W3C Web Authentication Level 3, section 5.1.9), as far as it is used here.
package struct WebAuthnCreationOptions: Encodable, Sendable, Hashable {
    private struct Party: Encodable, Hashable {
        let id: String
        let name: String
    }

    private struct User: Encodable, Hashable {
        let id: String
        let name: String
        let displayName: String
    }

    private struct Parameter: Encodable, Hashable {
        let type = "public-key"
        let alg: Int

        enum CodingKeys: String, CodingKey { case type, alg }
    }

    private struct Selection: Encodable, Hashable {
        let residentKey = "preferred"
        let userVerification = "preferred"

        enum CodingKeys: String, CodingKey { case residentKey, userVerification }
    }

    private let challenge: String
    private let rp: Party
    private let user: User
    private let parameters: [Parameter]
    private let excludeCredentials: [WebAuthnDescriptor]
    private let selection = Selection()
    /// What is asked is not judged by its maker, so browsers need not ask the user whether to show it.
    private let attestation = "none"
    private let timeout: Int

    /// - Parameters:
    ///   - userID: base64url.
    ///   - algorithms: by their numbers in COSE, the most wanted first.
    ///   - timeout: milliseconds.
    package init(
        challenge: String, rpID: String, rpName: String, userID: String, userName: String, displayName: String,
        algorithms: [Int], excludeCredentials: [WebAuthnDescriptor], timeout: Int
    ) {
        self.challenge = challenge
        rp = Party(id: rpID, name: rpName)
        user = User(id: userID, name: userName, displayName: displayName)
        parameters = algorithms.map { Parameter(alg: $0) }
        self.excludeCredentials = excludeCredentials
        self.timeout = timeout
    }

    private enum CodingKeys: String, CodingKey {
        case challenge, rp, user, excludeCredentials, attestation, timeout
        case parameters = "pubKeyCredParams"
        case selection = "authenticatorSelection"
    }
}
