import ConnectionKit
import Foundation
import MicroMiddleware
import Postgres
import Testing

@Suite("Hot keys")
struct HotKeyTests {
    let tenant = UUID()

    private func key(_ number: Int) -> HotKey {
        HotKey(
            kind: "name", tenantID: tenant,
            id: UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(number >> 8), UInt8(number & 255))))
    }

    @Test("What is asked for most is found among many that are asked for once, in bounded memory")
    func counting() {
        let keys = HotKeys(capacity: 100)
        for round in 0..<20 {
            for hot in 0..<10 { for _ in 0..<5 { keys.count(key(hot)) } }
            for cold in 0..<40 { keys.count(key(1_000 + round * 40 + cold)) }
        }
        let counts = keys.take()
        #expect(counts.count == 100)
        let top = Set(counts.sorted { $0.value > $1.value }.prefix(10).map(\.key))
        #expect(top == Set((0..<10).map(key)))
        #expect(keys.take().isEmpty)
    }

    @Test("Are kept in the database, the most wanted first, and never more than so many")
    func kept() async throws {
        let database = try await CacheFixture.database()
        let store = HotKeyStore(database, limit: 50)
        let soon = Deadline.after(.seconds(10))
        for _ in 0..<3 {
            let counts = (0..<80).map { (key($0), 1_000 - $0) }
            try await store.add(Dictionary(uniqueKeysWithValues: counts), deadline: soon)
        }
        try await store.add([key(70): 100_000], deadline: soon)
        let top = try await store.top(deadline: soon)
        #expect(top.count == 50)
        #expect(top.first == key(70))
        #expect(top[1] == key(0))
        let rows = try await database.query("SELECT count(*) AS n FROM hot_keys", deadline: soon).first
        let count = try #require(try rows?.decode(Int.self, "n"))
        #expect(count <= 51)
        await database.close()
    }
}
