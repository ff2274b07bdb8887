package import Foundation

/// What is known of an attempt before it is made.
package struct ThrottleVerdict: Sendable, Hashable {
    /// Zero when it may be made; then its place on the ladders has been taken.
    package var wait: Duration
    /// Whether the identity, or the device, has failures that a success wipes out.
    package var hasFailures: Bool
    /// Whether the tenant's brake is on.
    package var isBraked: Bool

    package init(wait: Duration, hasFailures: Bool, isBraked: Bool) {
        self.wait = wait
        self.hasFailures = hasFailures
        self.isBraked = isBraked
    }
}

/// The counters of one process: all there is while Redis is away, with what Redis has yet to be told.
///
/// The same arithmetic as the scripts in ``RedisThrottle``, on a clock that is given.
package struct ThrottleCounters: Sendable {
    private struct Entry {
        var failures: Int
        var next: Date
        var forgottenAt: Date
    }

    /// More keys than this, and those that end soonest go.
    private static let limit = 100_000
    /// More tenants than this in a minute, and those with the fewest failures go. They are as they were typed: one that does
    /// not exist is counted like any, and must not take the room of one that does.
    package static let tenantLimit = 10_000

    private let limits: ThrottleLimits
    private var entries: [String: Entry] = [:]
    /// The failures of each tenant in `minute`.
    private var failures: [String: Int] = [:]
    private var minute: Int64 = 0
    private var brakedUntil: [String: Date] = [:]
    /// Failures that Redis has not been told of.
    package private(set) var owed: [ThrottleSubject: Int] = [:]

    package init(limits: ThrottleLimits) {
        self.limits = limits
    }

    /// How many tenants are kept of, counted or braked.
    package var tenantCount: Int { max(failures.count, brakedUntil.count) }

    package mutating func admit(_ subject: ThrottleSubject, at now: Date) -> ThrottleVerdict {
        let isBraked = brakedUntil[subject.brakeKey].map { $0 > now } ?? false
        let ladders = ladders(of: subject, isBraked: isBraked)
        let alive = ladders.map { key, ladder in (key, ladder, entries[key].flatMap { $0.forgottenAt > now ? $0 : nil })
        }
        let next = alive.compactMap { $0.2?.next }.max() ?? now
        let hasFailures = alive.first?.2 != nil
        guard next <= now else {
            return ThrottleVerdict(
                wait: .seconds(next.timeIntervalSince(now)), hasFailures: hasFailures, isBraked: isBraked)
        }
        for (key, ladder, entry) in alive {
            guard let entry, entry.failures >= ladder.free else { continue }
            entries[key]?.next = now + ladder.wait(after: entry.failures + 1).seconds
        }
        return ThrottleVerdict(wait: .zero, hasFailures: hasFailures, isBraked: isBraked)
    }

    /// - Returns: how many failures in a row the identity, or the device, has now.
    @discardableResult
    package mutating func fail(_ subject: ThrottleSubject, at now: Date, isOwed: Bool) -> Int {
        if isOwed, owed.count < Self.limit { owed[subject, default: 0] += 1 }
        if entries.count >= Self.limit { makeRoom(now) }
        countForTenant(subject, now)
        let isBraked = brakedUntil[subject.brakeKey].map { $0 > now } ?? false
        var count = 0
        for (index, (key, ladder)) in ladders(of: subject, isBraked: isBraked).enumerated() {
            var failures = 1
            if let entry = entries[key], entry.forgottenAt > now { failures += entry.failures }
            entries[key] = Entry(
                failures: failures, next: now + ladder.wait(after: failures).seconds,
                forgottenAt: now + ladder.memory.seconds)
            if index == 0 { count = failures }
        }
        return count
    }

    package mutating func forget(_ key: String) {
        entries[key] = nil
    }

    /// Takes what is owed to Redis; give it back with ``owe(_:)`` when it could not be paid.
    package mutating func takeOwed() -> [ThrottleSubject: Int] {
        defer { owed = [:] }
        return owed
    }

    package mutating func owe(_ subjects: [ThrottleSubject: Int]) {
        for (subject, count) in subjects where owed.count < Self.limit { owed[subject, default: 0] += count }
    }

    private func ladders(of subject: ThrottleSubject, isBraked: Bool) -> [(String, Ladder)] {
        var account = limits.account
        if isBraked, !limits.asksForProof, subject.device == nil { account.free = min(account.free, 1) }
        return [(subject.accountKey, account)] + (subject.addressKey.map { [($0, limits.address)] } ?? [])
    }

    private mutating func countForTenant(_ subject: ThrottleSubject, _ now: Date) {
        let minute = Int64(now.timeIntervalSince1970 / 60)
        if minute != self.minute {
            self.minute = minute
            failures = [:]
            brakedUntil = brakedUntil.filter { $0.value > now }
        }
        if failures[subject.tenantKey] == nil { makeRoomForTenant() }
        failures[subject.tenantKey, default: 0] += 1
        guard failures[subject.tenantKey, default: 0] >= limits.tenantFailuresPerMinute else { return }
        if brakedUntil[subject.brakeKey] == nil, brakedUntil.count >= Self.tenantLimit {
            brakedUntil = brakedUntil.filter { $0.value > now }
            guard brakedUntil.count < Self.tenantLimit else { return }
        }
        brakedUntil[subject.brakeKey] = now + limits.brakeDuration.seconds
    }

    private mutating func makeRoomForTenant() {
        var least = 1
        while failures.count >= Self.tenantLimit {
            failures = failures.filter { $0.value > least }
            least *= 2
        }
    }

    private mutating func makeRoom(_ now: Date) {
        entries = entries.filter { $0.value.forgottenAt > now }
        guard entries.count >= Self.limit else { return }
        let ends = entries.values.map(\.forgottenAt).sorted()
        let limit = ends[Self.limit / 4]
        entries = entries.filter { $0.value.forgottenAt > limit }
    }
}

extension Duration {
    var seconds: TimeInterval {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }

    var milliseconds: Int64 {
        components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
    }
}
