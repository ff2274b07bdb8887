import Contracts
import Crypto
package import Foundation
package import MicroMiddleware

/// Who tries: an identity as it was typed, an address and, where it is shown, a known device. The same whether or not
/// there is such a user.
package struct ThrottleSubject: Sendable, Hashable {
    /// What the identity's failures are counted under; nothing can be read from it.
    package let identity: String
    package let tenant: String
    /// `nil` for a trusted address, or none.
    package let address: String?
    package let device: UUID?

    /// The key of the ladder that this attempt climbs.
    package var accountKey: String { device.map { "bf:d:\($0.text):\(identity)" } ?? "bf:a:\(identity)" }
    /// A known device is not held up by others behind its address.
    var addressKey: String? { device == nil ? address.map { "bf:i:\($0)" } : nil }
    var tenantKey: String { "bf:t:\(tenant)" }
    var brakeKey: String { "bf:b:\(tenant)" }
}

/// Turns attempts into subjects, and signs the tokens by which devices are known.
package struct ThrottleKeys: Sendable {
    private let key: SymmetricKey
    private let addresses: CountedAddresses

    package init(pepper: Secret<String>, trusted: [AddressRange]) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Data(pepper.reveal().utf8)), info: Data("authms throttle".utf8),
            outputByteCount: 32)
        addresses = CountedAddresses(trusted: trusted)
    }

    package func subject(
        _ identifier: Identifier, tenantID: UUID, address: String?, deviceToken: String?, now: Date
    ) -> ThrottleSubject {
        let identity = digest(identifier, tenantID: tenantID)
        return ThrottleSubject(
            identity: Hex.text(identity), tenant: tenantID.text, address: addresses.network(of: address),
            device: deviceToken.flatMap { DeviceToken.verify($0, identity: identity, key: key, now: now) })
    }

    /// Of a guess at a code: the identity as it is guessed at from this address, so that a stranger elsewhere does not hold
    /// its owner up. `nil` where the address is not counted by.
    package func subject(of guess: CodeGuess, address: String?) -> ThrottleSubject? {
        guard let network = addresses.network(of: address) else { return nil }
        let identity = digest(
            guess.identifier, tenantID: guess.tenantID, as: "code|\(guess.purpose.rawValue)|\(network)|")
        return ThrottleSubject(
            identity: Hex.text(identity), tenant: guess.tenantID.text, address: network, device: nil)
    }

    /// The token by which a device that has signed in is known, for half a year.
    package func deviceToken(
        for identifier: Identifier, tenantID: UUID, device: UUID?, now: Date
    ) -> String {
        DeviceToken.make(identity: digest(identifier, tenantID: tenantID), device: device ?? UUID(), key: key, now: now)
    }

    private func digest(_ identifier: Identifier, tenantID: UUID, as kind: String = "") -> [UInt8] {
        let text = "\(kind)\(tenantID.text)|\(identifier.kind.rawValue)|\(identifier.key)"
        return Array(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key).prefix(16))
    }
}

/// A signed token that says: on this device this identity has signed in before (OWASP, "device cookies"). It opens nothing;
/// it only keeps a stranger's failures from holding up its owner.
enum DeviceToken {
    static let lifetime: TimeInterval = 180 * 86_400

    static func make(identity: [UInt8], device: UUID, key: SymmetricKey, now: Date) -> String {
        let seconds = UInt64(max(0, now.timeIntervalSince1970))
        let body = withUnsafeBytes(of: device.uuid) { Array($0) } + withUnsafeBytes(of: seconds.bigEndian) { Array($0) }
        return Base64URL.encode(body + mac(body, identity, key))
    }

    /// The device, when the token is ours, for this identity, and not too old.
    static func verify(_ text: String, identity: [UInt8], key: SymmetricKey, now: Date) -> UUID? {
        guard text.utf8.count <= 128, let bytes = Base64URL.decode(text), bytes.count == 24 + 32 else { return nil }
        let body = Array(bytes.prefix(24))
        guard Secret(mac(body, identity, key)).matches(Array(bytes.suffix(32))) else { return nil }
        let seconds = body.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard now.timeIntervalSince1970 - Double(seconds) < lifetime else { return nil }
        return body.prefix(16).withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
    }

    private static func mac(_ body: [UInt8], _ identity: [UInt8], _ key: SymmetricKey) -> [UInt8] {
        var mac = HMAC<SHA256>(key: key)
        mac.update(data: Data("device".utf8))
        mac.update(data: Data(identity))
        mac.update(data: Data(body))
        return Array(mac.finalize())
    }
}
