import Crypto
package import Foundation

/// A JSON Web Key Set of ES256 public keys (RFC 7517). jwt-kit's `JWK` has no `use` member and fails the whole set on a
/// key type that it does not know, so the seven members are spelled out here.
struct JSONWebKeySet: Codable {
    struct Key: Codable {
        var kty: String
        var kid: String?
        var use: String?
        var alg: String?
        var crv: String?
        var x: String?
        var y: String?
    }

    var keys: [Key]
}

extension KeyRing {
    /// The public keys as a JWKS, in the order of the ring: those of every state until their last token has expired. A
    /// symmetric key is never among them.
    package var jwks: Data {
        jwks(at: Date())
    }

    package func jwks(at now: Date) -> Data {
        let keys = snapshot.keys.compactMap { key -> JSONWebKeySet.Key? in
            guard key.use == .access, key.verifies(at: now), let point = key.publicKey?.rawRepresentation else {
                return nil
            }
            return JSONWebKeySet.Key(
                kty: "EC", kid: key.kid, use: "sig", alg: TokenAlgorithm.es256.rawValue, crv: "P-256",
                x: Base64URL.encode(point.prefix(32)), y: Base64URL.encode(point.suffix(32)))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return (try? encoder.encode(JSONWebKeySet(keys: keys))) ?? Data(#"{"keys":[]}"#.utf8)
    }

    /// A ring that verifies and cannot sign, for processes that hold public keys only. Keys that are not P-256
    /// signature keys are skipped, as RFC 7517 §5 says, except that symmetric keys are refused: a published secret is none.
    ///
    /// - Throws: `KeyRingError.invalid` when the text is no JWKS, or no key is left.
    package static func verificationOnly(jwks: Data, source: String = "JWKS") throws(KeyRingError) -> KeyRing {
        let set: JSONWebKeySet
        do {
            set = try JSONDecoder().decode(JSONWebKeySet.self, from: jwks)
        } catch {
            throw .invalid(file: source, reason: "it is not a JSON Web Key Set")
        }
        var keys: [RingKey] = []
        for key in set.keys {
            guard key.kty != "oct" else { throw .invalid(file: source, reason: "it holds a symmetric key") }
            guard key.kty == "EC", key.crv == "P-256", key.use ?? "sig" == "sig", key.alg ?? "ES256" == "ES256" else {
                continue
            }
            guard let kid = key.kid, let x = key.x.flatMap(Base64URL.decode), x.count == 32,
                let y = key.y.flatMap(Base64URL.decode), y.count == 32,
                let publicKey = try? P256.Signing.PublicKey(rawRepresentation: x + y)
            else { throw .invalid(file: source, reason: "a P-256 key lacks a kid or is not a point on the curve") }
            keys.append(
                RingKey(
                    kid: kid, use: .access, state: .retiring, createdAt: .distantPast, material: .es256Public(publicKey)
                ))
        }
        guard !keys.isEmpty else { throw .invalid(file: source, reason: "it holds no P-256 signature key") }
        return try KeyRing(keys: keys, source: source)
    }

    /// `verificationOnly(jwks:)` of a file.
    package static func verificationOnly(jwksFile path: String) throws(KeyRingError) -> KeyRing {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .unreadable(file: path, reason: "there is no such file, or it may not be read")
        }
        return try verificationOnly(jwks: data, source: path)
    }
}
