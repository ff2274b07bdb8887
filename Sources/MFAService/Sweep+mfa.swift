import Foundation
package import MicroMiddleware
import Postgres

extension Sweep {
    /// What the mfa database forgets, and when.
    package static let mfa: [Sweep] = [
        Sweep("challenges") { now in "expires_at < \(now - 3_600)" },
        Sweep("passkey_registrations", key: "nonce") { now in "expires_at < \(now - 3_600)" },
        .erasedUsers,
    ]
}
