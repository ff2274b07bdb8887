package import Foundation

/// What a refresh token of a given generation means for a session at a moment. A pure rule: the store applies it under
/// the row's lock.
package enum RotationVerdict: Sendable, Equatable {
    /// It is the present one: it gets a successor.
    case rotate
    /// It is the one before, and its owner asks again within the grace period: the same successor.
    case repeated
    /// It is newer than the row, and authentic: the database is a promoted standby that missed a rotation. Accepted once.
    case ahead
    /// It was used up long ago: theft, or a copy. The family ends.
    case reused
    case revoked
    case expired
}

extension Session {
    /// - Parameter generation: of the refresh token that was presented, whose authenticity has been checked.
    package func verdict(on generation: Int64, at now: Date, grace: Duration) -> RotationVerdict {
        if end != nil { return .revoked }
        if now >= idleExpiresAt { return .expired }
        if generation == self.generation { return .rotate }
        if generation > self.generation { return .ahead }
        let isRetry = generation == self.generation - 1 && now < rotatedAt + grace.timeInterval
        return isRetry ? .repeated : .reused
    }

    /// The session after the token of `generation` has been exchanged for the next.
    package func rotated(from generation: Int64, at now: Date, lifetime: SessionLifetime) -> Session {
        var next = self
        next.generation = generation + 1
        next.rotatedAt = now
        var lifetime = lifetime
        lifetime.idle = idleTimeout ?? lifetime.idle
        next.idleExpiresAt = lifetime.idleExpiry(from: now, within: absoluteExpiresAt)
        return next
    }
}
