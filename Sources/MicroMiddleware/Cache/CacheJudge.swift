/// What a service concludes when it looks at its database and at Redis. No clock, no wait: a table.
package struct CacheJudge: Sendable {
    /// What is to be done about the cache's generation, and whether the ramp begins.
    package struct Verdict: Sendable, Hashable {
        /// Whether another generation takes the place of the one that Redis has.
        package var renews = false
        /// Why the database has more to bear than it is used to; `nil` when it has not.
        package var loss: String?

        package init(renews: Bool = false, loss: String? = nil) {
            self.renews = renews
            self.loss = loss
        }
    }

    /// What Redis says of the cache's generation.
    package enum Redis: Sendable, Hashable {
        case answers(String?)
        case isAway
    }

    /// What the database turned out to be; `nil` when it did not answer.
    package var database: DatabaseVerdict?
    /// The generation that this process or the database knows; `nil` when there never was one.
    package var known: String?
    package var redis: Redis
    /// Whether Redis has been away for so long that the database has borne everything anyway.
    package var wasAway: Bool

    package init(database: DatabaseVerdict?, known: String?, redis: Redis, wasAway: Bool) {
        self.database = database
        self.known = known
        self.redis = redis
        self.wasAway = wasAway
    }

    package var verdict: Verdict {
        switch database {
        case .restored(let reason): return Verdict(renews: true, loss: reason)
        // What was cached may be of transactions that the new primary never had; the database itself is warm.
        case .promoted: return Verdict(renews: true)
        case .same, nil: break
        }
        guard case .answers(nil) = redis else { return Verdict() }
        guard known != nil else { return Verdict(renews: database != nil) }
        return Verdict(renews: true, loss: wasAway ? nil : "the cache was emptied")
    }
}
