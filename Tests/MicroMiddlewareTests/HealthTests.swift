import ConnectionKit
import Foundation
import HTTPTypes
import HummingbirdTesting
import MicroMiddleware
import Testing

@Suite("Readiness")
struct HealthTests {
    struct Down: Error, CustomStringConvertible {
        let description = "connection refused"
    }

    @Test("A required check that fails turns it red; a degrading one is reported and leaves it green")
    func importance() async throws {
        let health = HealthRegistry()
        health.register("database", .required) { _ in }
        health.register("redis", .degrading) { _ in throw Down() }
        var report = await health.report()
        #expect(report.isReady)
        #expect(report.status == "degraded")
        health.register("database", .required) { _ in throw Down() }
        report = await health.report()
        #expect(!report.isReady)
        #expect(report.status == "unready")
        let json = String(decoding: report.json(), as: UTF8.self)
        #expect(
            json.contains(#"{"name":"database","importance":"required","ok":false,"problem":"connection refused"}"#))
        health.startStopping()
        #expect(await health.report().status == "stopping")
    }

    @Test("Checks run at once, each with a deadline of its own")
    func concurrent() async {
        let health = HealthRegistry()
        let journal = Journal()
        for index in 0..<8 {
            health.register("check \(index)", .degrading) { deadline in
                #expect(deadline.remaining <= HealthRegistry.checkTimeout)
                journal.note("begun")
                while journal.count(of: "begun") < 8 { try await Task.sleep(for: .milliseconds(1)) }
            }
        }
        let report = await health.report()
        #expect(report.results.map(\.name) == (0..<8).map { "check \($0)" })
        #expect(report.status == "ready")
    }

    @Test("A check that ignores its deadline is given up on")
    func hanging() async {
        let health = HealthRegistry()
        health.register("stuck", .required) { _ in try await Task.sleep(for: .seconds(60)) }
        let start = ContinuousClock.now
        #expect(await !health.report().isReady)
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test("Over HTTP it is 200 or 503 with each check; liveness is 200 all the same")
    func endpoints() async throws {
        let fixture = ServiceFixture()
        let green = try await fixture.ask { try await $0.ask(.get, "/readyz") }
        await fixture.wallets.fail(with: Down())
        let (red, live) = try await fixture.ask {
            (try await $0.ask(.get, "/readyz"), try await $0.ask(.get, "/livez"))
        }
        #expect(green.status == .ok)
        #expect(try green.object["status"] as? String == "ready")
        #expect(red.status == .serviceUnavailable)
        #expect(live.status == .ok)
    }
}
