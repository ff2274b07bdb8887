package import MicroMiddleware
package import Passkeys

/// What the mfa service is configured with, beyond what every service is.
package struct MFAConfiguration: Sendable {
    package var issuer: String
    package var relyingParty: RelyingParty
    package var encryptionKey: Secret<String>
    package var previousEncryptionKey: Secret<String>?

    package init(settings: ServiceSettings) throws {
        issuer = try settings.value(.mfaIssuer)
        relyingParty = RelyingParty(
            id: try settings.value(.relyingPartyID), origins: try settings.value(.relyingPartyOrigins))
        encryptionKey = try settings.value(.mfaEncryptionKey)
        previousEncryptionKey = try settings.valueIfPresent(.previousMFAEncryptionKey)
    }

    /// For the reference documentation.
    package static let keys: [ConfigurationKeySummary] = [
        ConfigurationKey<String>.mfaIssuer.summary, ConfigurationKey<String>.relyingPartyID.summary,
        ConfigurationKey<[String]>.relyingPartyOrigins.summary,
        ConfigurationKey<Secret<String>>.mfaEncryptionKey.summary,
        ConfigurationKey<Secret<String>>.previousMFAEncryptionKey.summary,
    ]
}

extension ConfigurationKey<String> {
    static let mfaIssuer = string(
        "mfa.issuer", default: "authms", "What authenticator apps and passkeys show as the site's name.")
    static let relyingPartyID = string(
        "webauthn.rp.id", default: "localhost",
        "The domain that passkeys are for: changed, those registered before are of no use.")
}

extension ConfigurationKey<[String]> {
    static let relyingPartyOrigins = strings(
        "webauthn.origins", default: [],
        "The origins whose pages may ask for passkeys; https:// and the domain where none is given (for localhost any port)."
    )
}

extension ConfigurationKey<Secret<String>> {
    static let mfaEncryptionKey = secret(
        "mfa.encryption.key", minimumBytes: 32, "What the secrets of second factors are encrypted under.")
    static let previousMFAEncryptionKey = secret(
        "mfa.encryption.key.previous", minimumBytes: 32,
        "The one before it, still decrypting until every secret is under the new one.")
}
