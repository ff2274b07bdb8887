import Foundation
import MicroMiddleware
import Testing

@Suite("What a service concludes from its database and its cache")
struct CacheJudgeTests {
    let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func mark(_ system: String = "s1", _ timeline: String = "1", ago: TimeInterval = 0) -> DatabaseMark {
        DatabaseMark(system: system, timeline: timeline, markedAt: now.addingTimeInterval(-ago))
    }

    @Test("The database that we know is the same")
    func same() {
        #expect(DatabaseVerdict(present: mark(), written: mark(ago: 3), remembered: mark(ago: 3)) == .same)
        #expect(DatabaseVerdict(present: mark(), written: mark(ago: 3), remembered: nil) == .same)
        #expect(DatabaseVerdict(present: mark(), written: nil, remembered: nil) == .same)
    }

    @Test("A database whose last mark is older than what is remembered was set back")
    func setBack() {
        let verdict = DatabaseVerdict(present: mark(), written: mark(ago: 3_600), remembered: mark(ago: 5))
        #expect(verdict == .restored("the database was set back by 3595 s"))
        // Also without a recovery: a copy of the data directory, a snapshot of the disk.
        #expect(DatabaseVerdict(present: mark(), written: mark(ago: 60), remembered: mark()) != .same)
    }

    @Test("A standby that took over is not a restore, though the last marks may be missing")
    func promoted() {
        #expect(DatabaseVerdict(present: mark("s1", "2"), written: mark(ago: 6), remembered: mark()) == .promoted)
        #expect(DatabaseVerdict(present: mark("s1", "2"), written: mark(ago: 6), remembered: nil) == .promoted)
    }

    @Test("A database in another cluster, or without any mark where there was one, was restored")
    func moved() {
        guard case .restored = DatabaseVerdict(present: mark("s2"), written: mark(ago: 3), remembered: nil),
            case .restored = DatabaseVerdict(present: mark("s2"), written: nil, remembered: mark(ago: 3))
        else { return #expect(Bool(false), "must be restored") }
    }

    private func verdict(
        _ database: DatabaseVerdict?, known: String?, _ redis: CacheJudge.Redis, wasAway: Bool = false
    ) -> CacheJudge.Verdict {
        CacheJudge(database: database, known: known, redis: redis, wasAway: wasAway).verdict
    }

    @Test("The first start makes a generation and warms nothing up")
    func first() {
        #expect(verdict(.same, known: nil, .answers(nil)) == .init(renews: true))
        // Whether it is the first is for the database to say.
        #expect(verdict(nil, known: nil, .answers(nil)) == .init())
    }

    @Test("A cache that was emptied is a loss, unless Redis had been away for long")
    func emptied() {
        #expect(verdict(.same, known: "g", .answers(nil)) == .init(renews: true, loss: "the cache was emptied"))
        #expect(verdict(nil, known: "g", .answers(nil)).loss != nil)
        #expect(verdict(.same, known: "g", .answers(nil), wasAway: true) == .init(renews: true))
    }

    @Test("Nothing happens while all is there, another replica has renewed, or Redis is away")
    func nothing() {
        #expect(verdict(.same, known: "g", .answers("g")) == .init())
        #expect(verdict(.same, known: "g", .answers("h")) == .init())
        #expect(verdict(.same, known: "g", .isAway) == .init())
    }

    @Test("After a restore, what is cached is of a future that never was; a promotion alone warms nothing up")
    func restored() {
        #expect(verdict(.restored("why"), known: "g", .answers("g")) == .init(renews: true, loss: "why"))
        #expect(verdict(.restored("why"), known: "g", .isAway) == .init(renews: true, loss: "why"))
        #expect(verdict(.promoted, known: "g", .answers("g")) == .init(renews: true))
    }
}
