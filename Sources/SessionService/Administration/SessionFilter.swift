package import Foundation

/// Which sessions of a tenant an administrator asks for.
package struct SessionFilter: Sendable, Hashable {
    package enum Status: String, Sendable, Hashable, CaseIterable {
        case active, revoked, expired, all
    }

    package var status: Status
    package var userID: UUID?
    /// Opened or last refreshed from this address.
    package var ip: String?
    /// A part of the device's name, in any case.
    package var device: String?

    package init(status: Status = .active, userID: UUID? = nil, ip: String? = nil, device: String? = nil) {
        self.status = status
        self.userID = userID
        self.ip = ip
        self.device = device
    }

    /// Whether it selects a session at a moment: what the store's condition must say, too.
    package func matches(_ session: Session, at now: Date) -> Bool {
        let fits =
            switch status {
            case .active: session.isAlive(at: now)
            case .revoked: session.end != nil && !session.isTombstone
            case .expired: session.end == nil && now >= session.idleExpiresAt
            case .all: !session.isTombstone
            }
        return fits && userID.map { session.userID == $0 } ?? true
            && ip.map { session.ip == $0 || session.lastIP == $0 } ?? true
            && device.map { session.device.lowercased().contains($0.lowercased()) } ?? true
    }
}

/// A tenant's sessions, counted.
package struct SessionStatistics: Sendable, Hashable {
    package var activeSessions: Int
    /// Users with at least one.
    package var activeUsers: Int
    /// Active sessions by device.
    package var byDevice: [String: Int]
    /// Sessions that began in the last 24 hours.
    package var openedToday: Int
    /// Sessions that were ended in the last 24 hours, by reason.
    package var endedToday: [String: Int]

    package init(
        activeSessions: Int, activeUsers: Int, byDevice: [String: Int], openedToday: Int, endedToday: [String: Int]
    ) {
        self.activeSessions = activeSessions
        self.activeUsers = activeUsers
        self.byDevice = byDevice
        self.openedToday = openedToday
        self.endedToday = endedToday
    }
}
