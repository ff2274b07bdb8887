import Contracts
import Foundation
import MicroMiddleware
import Testing

@Suite("Admission while warming up")
struct WarmupAdmissionTests {
    let started = Date(timeIntervalSince1970: 1_800_000_000)
    let users = (0..<5_000).map { "user-\($0)" }

    private func admitted(_ share: Int, _ priority: RequestPriority) -> Set<String> {
        let admission = WarmupAdmission(share: share, started: started)
        return Set(users.filter { admission.admits($0, priority) })
    }

    @Test("The share of users that sign in is the admitted share", arguments: [1, 20, 50, 99])
    func share(_ share: Int) {
        let part = Double(admitted(share, .login).count) / Double(users.count) * 100
        #expect(abs(part - Double(share)) < 3)
    }

    @Test("Raising the share only adds users", arguments: RequestPriority.allCases)
    func onlyAdds(_ priority: RequestPriority) {
        var before: Set<String> = []
        for share in stride(from: 0, through: 100, by: 10) {
            let now = admitted(share, priority)
            #expect(now.isSuperset(of: before))
            before = now
        }
        #expect(before.count == users.count)
    }

    @Test("Whoever is served at a priority is served at every higher one; verifying is always served")
    func priorities() {
        for share in [0, 1, 20, 50, 99, 100] {
            #expect(admitted(share, .other).isSubset(of: admitted(share, .login)))
            #expect(admitted(share, .login).isSubset(of: admitted(share, .refresh)))
            #expect(admitted(share, .verify).count == users.count)
        }
        #expect(admitted(20, .other).count < admitted(20, .login).count)
        #expect(admitted(20, .login).count < admitted(20, .refresh).count)
    }

    @Test("Two replicas admit the same users; the next ramp has another order")
    func sticky() {
        #expect(admitted(20, .login) == admitted(20, .login))
        let next = WarmupAdmission(share: 20, started: started + 3_600)
        #expect(Set(users.filter { next.admits($0, .login) }) != admitted(20, .login))
    }

    @Test("The others get 503002 with a Retry-After of 5 to 15 seconds", arguments: [0, 0.5, 1, 7])
    func refusal(jitter: Double) throws {
        let admission = WarmupAdmission(share: 0, started: started)
        let error = try #require(throws: APIError.self) {
            try admission.require("ada", .login, jitter: jitter)
        }
        #expect(error.code == .warmingUp)
        let wait = try #require(error.retryAfter)
        #expect((.seconds(5) ... .seconds(15)).contains(wait))
        #expect(throws: Never.self) { try admission.require("ada", .verify, jitter: jitter) }
    }
}
