import Foundation

/// Whom passkeys are for: a domain, and the origins whose pages may ask for them.
package struct RelyingParty: Sendable, Hashable {
    /// The domain: `example.org`.
    package let id: String
    /// Exact origins: `https://login.example.org`.
    package let origins: Set<String>

    /// - Parameter origins: where none is given, `https://` and the id; for `localhost`, which browsers trust without TLS,
    ///   any port there.
    package init(id: String, origins: [String] = []) {
        self.id = id
        self.origins = origins.isEmpty ? ["https://\(id)"] : Set(origins)
        allowsAnyLocalPort = origins.isEmpty && id == "localhost"
    }

    private let allowsAnyLocalPort: Bool

    package func allows(origin: String) -> Bool {
        if origins.contains(origin) { return true }
        guard allowsAnyLocalPort, let url = URLComponents(string: origin) else { return false }
        return url.host == "localhost" && ["http", "https"].contains(url.scheme) && url.path.isEmpty
            && url.query == nil && url.fragment == nil && url.user == nil
    }
}

/// What the browser says that it signed (section 5.8.1).
struct ClientData {
    enum Ceremony: String {
        case registration = "webauthn.create"
        case authentication = "webauthn.get"
    }

    private struct Body: Decodable {
        let type: String
        let challenge: String
        let origin: String
        let crossOrigin: Bool?
    }

    static let maximumBytes = 4_096

    static func check(
        _ bytes: [UInt8], for ceremony: Ceremony, challenge: [UInt8], of party: RelyingParty
    ) throws(PasskeyError) {
        guard bytes.count <= maximumBytes, let body = try? JSONDecoder().decode(Body.self, from: Data(bytes)) else {
            throw .malformed
        }
        guard body.type == ceremony.rawValue else { throw .wrongCeremony }
        guard let signed = Self.decode(body.challenge), signed == challenge else { throw .wrongChallenge }
        guard party.allows(origin: body.origin), body.crossOrigin != true else { throw .wrongOrigin }
    }

    /// The challenge that a browser says it signed, before anything is known of it.
    static func challenge(in bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count <= maximumBytes, let body = try? JSONDecoder().decode(Body.self, from: Data(bytes)) else {
            return nil
        }
        return decode(body.challenge)
    }

    private static func decode(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 256 else { return nil }
        var base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        while base64.utf8.count % 4 != 0 { base64 += "=" }
        return Data(base64Encoded: base64).map(Array.init)
    }
}

/// The fixed part of what an authenticator signs (section 6.1).
package struct AuthenticatorFlags: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let userPresent = AuthenticatorFlags(rawValue: 1 << 0)
    package static let userVerified = AuthenticatorFlags(rawValue: 1 << 2)
    /// The passkey may be copied to the user's other devices.
    package static let backupEligible = AuthenticatorFlags(rawValue: 1 << 3)
}
