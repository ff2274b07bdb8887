import Foundation
package import MicroMiddleware
import Postgres

extension Sweep {
    /// What the session database forgets, and when.
    package static let session: [Sweep] = [
        Sweep("sessions") { now in "absolute_expires_at < \(now - 7 * 86_400)" },
        Sweep("revocations") { now in "expires_at < \(now - 3_600)" },
        // Longer than an event may lie in a queue, or among its dead letters, and be delivered all the same.
        Sweep("applied_events", key: "ctid") { now in "applied_at < \(now - 90 * 86_400)" },
        Sweep("trusted_devices") { now in "expires_at < \(now)" },
        // A user's last one stays: without any, the next sign-in would pass for the first.
        Sweep("seen_devices", key: "ctid") { now in
            """
            seen_at < \(now - SeenDevice.memory) AND EXISTS (
                SELECT FROM seen_devices later
                WHERE later.user_id = seen_devices.user_id AND later.seen_at > seen_devices.seen_at)
            """
        },
        .erasedUsers,
    ]
}
