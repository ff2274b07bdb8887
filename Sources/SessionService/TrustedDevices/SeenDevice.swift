import Crypto
import Foundation

/// What a sign-in is recognised by: what the device calls itself, without its version, and the network that it is in. Whoever
/// comes with a stolen password has the same browser as its owner often enough, but seldom the same network.
package struct SeenDevice: Sendable, Hashable {
    /// How long a device is remembered that does not come again. A user's last one is remembered for ever.
    static let memory: TimeInterval = 400 * 86_400

    /// SHA-256: it need only be found again.
    package let fingerprint: [UInt8]

    package init(_ session: Session) {
        let text = "\(session.device)|\(OriginNetwork.of(session.ip) ?? "")"
        fingerprint = Array(SHA256.hash(data: Array(text.utf8)))
    }
}
