import Foundation
package import MicroMiddleware
import Postgres

extension Sweep {
    /// What the identity database forgets, and when.
    package static let identity: [Sweep] = [
        // Used or not: how many were asked for counts for an hour.
        Sweep("codes") { now in "expires_at < \(now - 86_400)" },
        // An event that comes again within a week finds that its mail was sent.
        Sweep("sent_mails", key: "event_id") { now in "sent_at < \(now - 7 * 86_400)" },
        Sweep("email_changes") { now in "created_at < \(now - 7 * 86_400)" },
        // All that there is about a person, in one place: no longer than was promised.
        Sweep("exports") { now in "expires_at < \(now)" },
        Sweep("remembered_devices") { now in "expires_at < \(now)" },
        // Session is told as soon as it answers. Nobody can come with a token that is over, so that it need not be told then.
        Sweep("unanswered_refreshes") { now in "expires_at < \(now)" },
        // Administrators see for a while what became of them.
        Sweep("invitations") { now in "expires_at < \(now - 90 * 86_400)" },
        // The user's bare id stays among the users, as deleted.
        Sweep("deletions") { now in "completed_at < \(now - 90 * 86_400)" },
    ]
}
