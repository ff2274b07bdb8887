import Contracts
import Foundation
import SessionService
import Testing

@Suite("Rules of sessions")
struct SessionRuleTests {
    @Test(
        "A device has a name that its owner recognises",
        arguments: [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1",
                "Safari on iPhone"
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0",
                "Edge on Windows"
            ),
            ("curl/8.5.0", "curl"), ("", "Unknown device"),
        ])
    func deviceNames(userAgent: String, name: String) {
        #expect(DeviceName.from(userAgent) == name)
    }

    @Test("The database being down, a session seen within the hour is remembered, for its own token")
    func remembers() {
        let recent = RecentSessions(capacity: 4)
        let session = Example.session(of: Example.user())
        recent.remember(session, at: Example.now)
        let claim = RefreshClaim(sessionID: session.id, generation: 0)
        #expect(recent.recall(claim, at: Example.now + 3_599) == .present(session))
        #expect(recent.recall(claim, at: Example.now + 3_601) == .superseded)
        let rotated = session.rotated(from: 4, at: Example.now, lifetime: Example.lifetime)
        recent.remember(rotated, at: Example.now)
        #expect(recent.recall(claim, at: Example.now) == .superseded)
        #expect(recent.recall(RefreshClaim(sessionID: session.id, generation: 4), at: Example.now) == .present(rotated))
        #expect(recent.recall(RefreshClaim(sessionID: session.id, generation: 6), at: Example.now) == .unknown)
        recent.forget(session.id)
        #expect(recent.recall(RefreshClaim(sessionID: session.id, generation: 5), at: Example.now) == .unknown)
    }

    @Test("What is remembered is bounded")
    func bounded() {
        let recent = RecentSessions(capacity: 4)
        let sessions = (0..<20).map { _ in Example.session(of: Example.user()) }
        for session in sessions { recent.remember(session, at: Example.now) }
        let kept = sessions.filter {
            recent.recall(RefreshClaim(sessionID: $0.id, generation: 0), at: Example.now) == .present($0)
        }
        #expect(kept.count <= 4)
        #expect(kept.contains { $0.id == sessions.last?.id })
    }
}

@Suite("The network of an address")
struct OriginNetworkTests {
    @Test(
        "is what people recognise, and less than the address",
        arguments: [
            ("203.0.113.77", "203.0.113.0/24"), ("2001:db8:7:1::9", "2001:db8:7::/48"), ("::1", "0:0:0::/48"),
            ("2001:db8::", "2001:db8:0::/48"), ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ])
    func networks(address: String, network: String) {
        #expect(OriginNetwork.of(address) == network)
    }

    @Test(
        "is unknown for what is no address",
        arguments: ["", "1.2.3", "1.2.3.400", "a:b", "1:2:3:4:5:6:7:8:9", "x::1", "localhost"])
    func rubbish(text: String) {
        #expect(OriginNetwork.of(text) == nil)
    }
}
