import Contracts
import Foundation
import MicroMiddleware
import Testing

@Suite("Revocation and the cache of verified tokens")
struct RevocationTests {
    @Test("A revoked session's token is refused, cached or not, and no other's", arguments: [0, 1_024])
    func session(cacheCapacity: Int) throws {
        let forge = try TokenForge(cacheCapacity: cacheCapacity)
        let session = UUID()
        let token = try forge.issue(sessionID: session)
        let other = try forge.issue()
        #expect(forge.refusal(of: token) == nil && forge.refusal(of: other) == nil)
        forge.revocations.revoke(sessionID: session, until: forge.time.now.addingTimeInterval(1_800))
        #expect(forge.refusal(of: token) == .revoked)
        #expect(throws: TokenError.revoked) { try forge.verifier.verifyUncached(token) }
        #expect(forge.refusal(of: other) == nil)
    }

    @Test("A user's revocation refuses what was issued before it, to the millisecond, and spares what came after")
    func user() throws {
        let forge = try TokenForge(cacheCapacity: 64)
        let (user, tenant) = (UUID(), UUID())
        let before = try forge.issue(subject: user, tenantID: tenant)
        forge.time.advance(by: 0.4)
        forge.revocations.apply(
            Revocation(
                sequence: 3, kind: .user, subjectID: user, issuedBefore: forge.time.now,
                expiresAt: forge.time.now.addingTimeInterval(1_800)))
        forge.time.advance(by: 0.2)
        let after = try forge.issue(subject: user, tenantID: tenant)
        #expect(forge.refusal(of: before) == .revoked)
        #expect(forge.refusal(of: after) == nil)
        #expect(forge.refusal(of: try forge.issue(tenantID: tenant)) == nil)
        #expect(forge.revocations.highestSequence == 3)
        forge.revocations.apply(
            Revocation(
                sequence: 4, kind: .tenant, subjectID: tenant, issuedBefore: forge.time.now.addingTimeInterval(1),
                expiresAt: forge.time.now.addingTimeInterval(1_800)))
        #expect(forge.refusal(of: after) == .revoked)
    }

    @Test("A user's revocation in one tenant spares the same user's tokens of another")
    func userInOneTenant() throws {
        let forge = try TokenForge(cacheCapacity: 64)
        let (user, home, host) = (UUID(), UUID(), UUID())
        let atHome = try forge.issue(subject: user, tenantID: home)
        let there = try forge.issue(subject: user, tenantID: host)
        let neighbour = try forge.issue(tenantID: host)
        forge.time.advance(by: 0.4)
        var revocation = Revocation(
            sequence: 3, kind: .user, subjectID: user, tenantID: host, issuedBefore: forge.time.now,
            expiresAt: forge.time.now.addingTimeInterval(1_800))
        forge.revocations.apply(revocation)
        #expect(forge.refusal(of: there) == .revoked)
        #expect(forge.refusal(of: atHome) == nil && forge.refusal(of: neighbour) == nil)
        forge.time.advance(by: 0.2)
        #expect(forge.refusal(of: try forge.issue(subject: user, tenantID: host)) == nil)

        revocation.tenantID = nil
        forge.revocations.apply(revocation)
        #expect(forge.refusal(of: atHome) == .revoked && forge.refusal(of: neighbour) == nil)
        #expect(forge.revocations.count == 2)
        forge.revocations.prune(now: forge.time.now.addingTimeInterval(1_800))
        #expect(forge.revocations.count == 0)
    }

    @Test("A replica of before reads a revocation for one tenant as one for all, as it writes them")
    func compatible() throws {
        let (user, tenant) = (UUID(), UUID())
        let old = #"{"sequence":1,"kind":"user","subject_id":"\#(user)","issued_before_ms":1,"expires_at_ms":2}"#
        #expect(try JSONDecoder().decode(Revocation.self, from: Data(old.utf8)).tenantID == nil)
        let revocation = Revocation(
            sequence: 1, kind: .user, subjectID: user, tenantID: tenant,
            issuedBefore: Date(timeIntervalSince1970: 1), expiresAt: Date(timeIntervalSince1970: 2))
        let data = try JSONEncoder().encode(revocation)
        #expect(try JSONDecoder().decode(Revocation.self, from: data) == revocation)
        var members = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(members.removeValue(forKey: "tenant_id") as? String == tenant.uuidString.lowercased())
        #expect(Set(members.keys) == ["sequence", "kind", "subject_id", "issued_before_ms", "expires_at_ms"])
    }

    @Test("A revocation applied twice, or an older one after a newer one, takes nothing back")
    func idempotent() throws {
        let set = RevocationSet()
        let forge = try TokenForge()
        let claims = try forge.verifier.verify(try forge.issue())
        let now = forge.time.now
        let newer = Revocation(
            sequence: 9, kind: .user, subjectID: claims.subject, issuedBefore: now.addingTimeInterval(5),
            expiresAt: now.addingTimeInterval(1_800))
        var older = newer
        older.sequence = 8
        older.issuedBefore = now.addingTimeInterval(-5)
        older.expiresAt = now.addingTimeInterval(60)
        for revocation in [newer, newer, older] { set.apply(revocation, now: now) }
        #expect(set.contains(claims) && set.count == 1 && set.highestSequence == 9)
        set.prune(now: now.addingTimeInterval(1_799))
        #expect(set.contains(claims))
        set.prune(now: now.addingTimeInterval(1_800))
        #expect(set.count == 0)
    }

    @Test("A revocation keeps its milliseconds through JSON, and a set can be seeded from another's snapshot")
    func coding() throws {
        let revocation = Revocation(
            sequence: 7, kind: .user, subjectID: UUID(), issuedBefore: Date(timeIntervalSince1970: 1_800_000_000.25),
            expiresAt: Date(timeIntervalSince1970: 1_800_001_800))
        let data = try JSONEncoder().encode(revocation)
        #expect(try JSONDecoder().decode(Revocation.self, from: data) == revocation)
        let set = RevocationSet()
        set.apply(revocation)
        var bound = revocation
        bound.tenantID = UUID()
        set.apply(bound)
        let copy = RevocationSet()
        for revocation in set.snapshot { copy.apply(revocation) }
        #expect(Set(copy.snapshot) == Set(set.snapshot) && copy.count == 2)
    }

    @Test("A cached token still expires")
    func cachedExpiry() throws {
        let forge = try TokenForge(cacheCapacity: 64)
        let token = try forge.issue()
        #expect(forge.refusal(of: token) == nil && forge.refusal(of: token) == nil)
        forge.time.advance(by: 1_806)
        #expect(forge.refusal(of: token) == .expired)
        #expect(forge.verifier.cachedTokenCount == 0)
    }

    @Test("The cache holds no more than its capacity, and never a token that was refused")
    func bounded() throws {
        let forge = try TokenForge(cacheCapacity: 64)
        for _ in 0..<300 { #expect(forge.refusal(of: try forge.issue()) == nil) }
        #expect((1...64).contains(forge.verifier.cachedTokenCount))
        let fresh = try TokenForge(cacheCapacity: 64)
        for _ in 0..<10 { #expect(fresh.refusal(of: try forge.issue()) == .badSignature) }
        #expect(fresh.verifier.cachedTokenCount == 0)
    }

    @Test("A key that leaves the ring takes its cached tokens with it")
    func keyRemoved() throws {
        let forge = try TokenForge(cacheCapacity: 64)
        let token = try forge.issue()
        #expect(forge.refusal(of: token) == nil)
        forge.ring.replace(with: try TokenForge().ring)
        #expect(forge.refusal(of: token) == .badSignature)
        forge.ring.replace(with: try KeyRing(keys: []))
        #expect(forge.refusal(of: token) == .unknownKey)
    }

    @Test("Many tasks verify, revoke and rotate at once, and a revoked token is never accepted after its revocation")
    func concurrent() async throws {
        let forge = try TokenForge(cacheCapacity: 128)
        let until = forge.time.now.addingTimeInterval(1_800)
        let failures = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var failures = 0
                    for _ in 0..<25 {
                        let session = UUID()
                        let token = try forge.issue(sessionID: session)
                        if forge.refusal(of: token) != nil { failures += 1 }
                        forge.revocations.revoke(sessionID: session, until: until)
                        if forge.refusal(of: token) != .revoked { failures += 1 }
                        forge.ring.replace(with: forge.ring)
                    }
                    return failures
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(failures == 0)
    }
}
