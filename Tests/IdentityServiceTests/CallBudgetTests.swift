import Foundation
import IdentityService
import MicroMiddleware
import Synchronization
import Testing

@Suite("Calls without a token")
struct CallBudgetTests {
    let clock = ManualDate()

    @Test("An address makes so many at once, then so many a minute, and is told when the next may come")
    func bucket() throws {
        let budget = make(perMinute: 120, burst: 3)
        for _ in 0..<3 { try budget.spend(from: "203.0.113.9") }
        #expect(throws: IdentityError.throttled(retryAfter: .seconds(0.5))) { try budget.spend(from: "203.0.113.9") }
        // One subscriber has the whole of a /64.
        for host in ["::1", "::2", "::3"] { try budget.spend(from: "2001:db8:1:2\(host)") }
        #expect(throws: IdentityError.self) { try budget.spend(from: "2001:db8:1:2:3:4:5:6") }
        clock.advance(by: 0.5)
        try budget.spend(from: "203.0.113.9")
        #expect(throws: IdentityError.self) { try budget.spend(from: "203.0.113.9") }
        clock.advance(by: 3_600)
        for _ in 0..<3 { try budget.spend(from: "203.0.113.9") }
        #expect(throws: IdentityError.self) { try budget.spend(from: "203.0.113.9") }
    }

    @Test("A trusted address, and what is none, is not counted", arguments: ["127.0.0.1", "::1", "", "x", nil])
    func trusted(address: String?) throws {
        let budget = make(perMinute: 1, burst: 1)
        for _ in 0..<10 { try budget.spend(from: address) }
        #expect(budget.addressCount == 0)
    }

    @Test("Of very many addresses those go that have spent least")
    func bounded() throws {
        let budget = make(perMinute: 1, burst: 2)
        for _ in 0..<2 { try budget.spend(from: "203.0.113.9") }
        for number in 0..<CallBudget.addressLimit {
            try budget.spend(from: "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)")
        }
        #expect(budget.addressCount <= CallBudget.addressLimit)
        #expect(throws: IdentityError.self) { try budget.spend(from: "203.0.113.9") }
    }

    private func make(perMinute: Int, burst: Int) -> CallBudget {
        CallBudget(
            addresses: CountedAddresses(trusted: ["127.0.0.0/8", "::1"].compactMap { AddressRange($0) }),
            perMinute: perMinute, burst: burst, now: { [clock] in clock.now })
    }
}

/// A date that moves when it is told to.
final class ManualDate: Sendable {
    private let date = Mutex(Date(timeIntervalSince1970: 1_800_000_000))

    var now: Date { date.withLock { $0 } }

    func advance(by interval: TimeInterval) {
        date.withLock { $0 += interval }
    }
}
