import Foundation
import MicroMiddleware
import Testing

@Suite("What Redis holds of a cached value")
struct CacheEntryTests {
    let now = Date(timeIntervalSince1970: 1_800_000_000)

    @Test(
        "Is read as it was written",
        arguments: [CacheEntry.Content.value([1, 2, 255]), .value([]), .absent, .changing])
    func roundTrip(_ content: CacheEntry.Content) {
        let entry = CacheEntry(content, expiresAt: now.addingTimeInterval(1.5), cost: .microseconds(1_234))
        #expect(CacheEntry(bytes: entry.bytes) == entry)
    }

    @Test("Rubbish, a part, and another version are nothing")
    func rubbish() {
        let bytes = CacheEntry(.value([7]), expiresAt: now).bytes
        #expect(CacheEntry(bytes: []) == nil)
        #expect(CacheEntry(bytes: Array(bytes.prefix(13))) == nil)
        #expect(CacheEntry(bytes: [2] + bytes.dropFirst()) == nil)
        #expect(CacheEntry(bytes: [1, 9] + bytes.dropFirst(2)) == nil)
    }

    @Test("Is refreshed early by few readers, by more of them the closer the end and the dearer the load")
    func early() {
        func share(cost: Duration, left: TimeInterval) -> Double {
            let entry = CacheEntry(.absent, expiresAt: now.addingTimeInterval(left), cost: cost)
            return Double((0..<10_000).count { entry.isDue(at: now, random: (Double($0) + 0.5) / 10_000) }) / 10_000
        }
        // The chance is e^(-left/cost).
        #expect(abs(share(cost: .milliseconds(100), left: 0.1) - exp(-1)) < 0.01)
        #expect(abs(share(cost: .milliseconds(100), left: 0.3) - exp(-3)) < 0.01)
        #expect(share(cost: .milliseconds(100), left: 30) == 0)
        #expect(share(cost: .zero, left: 0.02) > 0.3)
        #expect(share(cost: .zero, left: 0) == 1)
    }
}
