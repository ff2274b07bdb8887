package import Foundation
import MicroMiddleware

/// What a refresh token of a given generation means for a session at a moment. A pure rule: the store applies it under
/// the row's lock.
package enum RotationVerdict: Sendable, Equatable {
    /// It is the present one: it gets a successor.
    case rotate
    /// It is the one before, and its owner asks again within the grace period: the same successor.
    case repeated
    /// It is newer than the row, and authentic: the database is a promoted standby that missed a rotation. Accepted once.
    case ahead
    /// It is the one before, and was given back by a fallback that stood in for the exchange: its successor has not reached its
    /// owner. It gets another one, in the place of the first.
    case regained
    /// It was used up long ago: theft, or a copy. The family ends.
    case reused
    case revoked
    case expired
    /// As `reused`, but too early to say.
    case undecided
}

extension Session {
    /// - Parameter token: the refresh token that was presented, whose authenticity has been checked.
    package func verdict(on token: RefreshClaim, at now: Date, grace: Duration) -> RotationVerdict {
        if end != nil { return .revoked }
        if now >= idleExpiresAt { return .expired }
        if token.generation == generation { return .rotate }
        if token.generation > generation { return .ahead }
        guard token.generation == generation - 1 else { return .reused }
        // Once for each edition. A thief would have to go to the fallback within seconds of the exchange: to whoever is as
        // quick as that, the grace period gives as much. The owner's own successor then tells of the two.
        if token.edition > exchangedEdition, token.fallbacks.cover(rotatedAt) { return .regained }
        if now < rotatedAt + grace.timeInterval { return .repeated }
        return token.isEarly ? .undecided : .reused
    }

    /// The session after the token of `generation`, in an edition, has been exchanged for the next.
    package func rotated(
        from generation: Int64, edition: Int64 = 0, at now: Date, lifetime: SessionLifetime
    ) -> Session {
        var next = self
        next.generation = generation + 1
        next.exchangedEdition = edition
        next.rotatedAt = now
        var lifetime = lifetime
        lifetime.idle = idleTimeout ?? lifetime.idle
        next.idleExpiresAt = lifetime.idleExpiry(from: now, within: absoluteExpiresAt)
        return next
    }
}
