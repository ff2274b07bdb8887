import Foundation
import MicroMiddleware
import Testing

@Suite("A key ring that is changed step by step")
struct KeyRingDirectoryTests {
    /// A generated ring; its keys are the access key and the refresh key.
    private func withRing(_ body: (KeyRingDirectory, _ access: String, _ refresh: String) throws -> Void) async throws {
        try await KeyRingTests.withDirectory { directory in
            let keys = try KeyRing.generate(directory: directory).keys
            try body(KeyRingDirectory(directory), keys[0].kid, keys[1].kid)
        }
    }

    private func published(_ ring: KeyRingDirectory) throws -> [String] {
        try KeyRing.verificationOnly(jwksFile: "\(ring.path)/jwks.json").keys.map(\.kid)
    }

    private func states(_ ring: KeyRingDirectory) throws -> [String: KeyState] {
        Dictionary(uniqueKeysWithValues: try ring.list().map { ($0.kid, $0.state) })
    }

    private func token(under ring: KeyRingDirectory) throws -> String {
        try TokenIssuer(ring: try KeyRing.load(directory: ring.path), issuer: "i", audience: "a").issue(
            subject: UUID(), tenantID: UUID(), roles: [], sessionID: UUID(), methods: []
        ).token
    }

    /// What those say who have the published keys alone.
    private func isAccepted(_ token: String, _ ring: KeyRingDirectory) throws -> Bool {
        let keys = try KeyRing.verificationOnly(jwksFile: "\(ring.path)/jwks.json")
        return (try? TokenVerifier(ring: keys, issuer: "i", audience: "a").verify(token)) != nil
    }

    /// Later than any process that looks every five seconds needs.
    private var later: Date { Date() + 60 }

    private func refusal(_ body: () throws -> Void) throws -> String {
        let error = #expect(throws: KeyRingError.self) { try body() }
        guard case .refusedChange(let reason)? = error else {
            Issue.record("\(String(describing: error)) is no refusal")
            return ""
        }
        return reason
    }

    @Test("A rotation: added keys verify everywhere before they sign, the one before verifies until it is taken out")
    func rotation() async throws {
        try await withRing { ring, first, refresh in
            let old = try token(under: ring)
            let second = try ring.add(.access)
            #expect(try published(ring) == [first, second])
            #expect(try states(ring) == [first: .active, refresh: .active, second: .pending])
            #expect(try ring.promote(second, lookedAtEvery: .seconds(5), now: later) == first)
            #expect(try states(ring) == [first: .retiring, refresh: .active, second: .active])
            let new = try token(under: ring)
            #expect(try isAccepted(old, ring) && isAccepted(new, ring))
            try ring.remove(first, refusingWhatItSigned: true)
            #expect(try published(ring) == [second])
            #expect(try !isAccepted(old, ring) && isAccepted(new, ring))
            try KeyRing.load(directory: ring.path).selfTest(uses: [.access, .refresh])
            #expect(!FileManager.default.fileExists(atPath: "\(ring.path)/access-1.pem"))
        }
    }

    @Test("A key does not sign before every process had the time to read it, nor while it is not published")
    func tooEarly() async throws {
        try await withRing { ring, first, _ in
            let before = try Data(contentsOf: URL(filePath: "\(ring.path)/jwks.json"))
            let second = try ring.add(.access)
            let early = try refusal { _ = try ring.promote(second, lookedAtEvery: .seconds(5)) }
            #expect(early.contains("try again after"))
            let settled = try ring.settles(lookedAtEvery: .seconds(5))
            #expect(settled > Date() + 4 && settled < Date() + 7)
            try before.write(to: URL(filePath: "\(ring.path)/jwks.json"))
            let unpublished = try refusal { _ = try ring.promote(second, lookedAtEvery: .seconds(5), now: later) }
            #expect(unpublished.contains("authms keys publish"))
            #expect(try states(ring)[first] == .active)
            #expect(try ring.publish().map(\.kid) == [first, second])
            _ = try ring.promote(second, lookedAtEvery: .seconds(5), now: later)
            #expect(try states(ring)[second] == .active)
        }
    }

    @Test("A rotation can be gone back on, and refresh keys are rotated by themselves")
    func backwards() async throws {
        try await withRing { ring, first, refresh in
            let second = try ring.add(.access)
            _ = try ring.promote(second, lookedAtEvery: .seconds(5), now: later)
            #expect(try ring.promote(first, lookedAtEvery: .seconds(5), now: later) == second)
            let other = try ring.add(.refresh)
            #expect(try published(ring) == [first, second])
            let codec = RefreshTokenCodec(ring: try KeyRing.load(directory: ring.path))
            let text = try codec.encode(RefreshToken(sessionID: UUID(), generation: 1, expiresAt: later))
            #expect(try ring.promote(other, lookedAtEvery: .seconds(5), now: later) == refresh)
            #expect(
                try states(ring) == [first: .active, second: .retiring, refresh: .retiring, other: .active])
            _ = try RefreshTokenCodec(ring: try KeyRing.load(directory: ring.path)).decode(text)
            #expect(try refusal { try ring.remove(refresh) }.contains("sign in again"))
            try ring.remove(refresh, refusingWhatItSigned: true)
            #expect(throws: RefreshTokenError.unknownKey) {
                try RefreshTokenCodec(ring: try KeyRing.load(directory: ring.path)).decode(text)
            }
        }
    }

    @Test("The key that signs is not taken out, one that has signed not without saying so, a pending one at once")
    func removal() async throws {
        try await withRing { ring, first, refresh in
            for kid in [first, refresh] {
                let text = try refusal { try ring.remove(kid, refusingWhatItSigned: true) }
                #expect(text.contains("\(kid) signs now"))
            }
            let second = try ring.add(.access)
            _ = try ring.promote(second, lookedAtEvery: .seconds(5), now: later)
            let index = try Data(contentsOf: URL(filePath: "\(ring.path)/ring.json"))
            let text = try refusal { try ring.remove(first) }
            #expect(text.contains("remembered devices") && text.contains("--refuse-its-tokens"))
            #expect(try Data(contentsOf: URL(filePath: "\(ring.path)/ring.json")) == index)
            let third = try ring.add(.access)
            try ring.remove(third)
            #expect(try published(ring) == [first, second])
            #expect(try FileManager.default.contentsOfDirectory(atPath: ring.path).count == 5)
            #expect(try refusal { try ring.remove(third) }.contains("there is no key \(third)"))
            #expect(try refusal { _ = try ring.promote(second, lookedAtEvery: .zero, now: later) }.contains("already"))
        }
    }

    @Test("A key that was taken out of the index by hand is out of the published keys once they are written anew")
    func byHand() async throws {
        try await withRing { ring, first, _ in
            let old = try token(under: ring)
            let second = try ring.add(.access)
            _ = try ring.promote(second, lookedAtEvery: .seconds(5), now: later)
            let index = URL(filePath: "\(ring.path)/ring.json")
            let entries = try JSONSerialization.jsonObject(with: Data(contentsOf: index)) as? [[String: Any]]
            let rest = try #require(entries).filter { $0["kid"] as? String != first }
            try JSONSerialization.data(withJSONObject: rest).write(to: index)
            #expect(try isAccepted(old, ring))
            #expect(try ring.publish().map(\.kid) == [second])
            #expect(try !isAccepted(old, ring))
        }
    }

    @Test("Files keep their modes, new keys have that of the ring, and published keys that are a link stay one")
    func files() async throws {
        try await withRing { ring, first, _ in
            let path = ring.path
            let publicMode = try KeyRingTests.mode("\(path)/jwks.json")
            func added() throws -> String {
                let kid = try ring.add(.access)
                let index = try Data(contentsOf: URL(filePath: "\(path)/ring.json"))
                let entries = try JSONSerialization.jsonObject(with: index) as? [[String: Any]]
                let entry = try #require(entries?.first { $0["kid"] as? String == kid })
                return "\(path)/\(try #require(entry["file"] as? String))"
            }
            #expect(try KeyRingTests.mode(added()) == 0o600)
            #expect(try KeyRingTests.mode("\(path)/ring.json") == 0o600)
            #expect(try KeyRingTests.mode("\(path)/jwks.json") == publicMode)
            // As a container's ring is, whose services are other users.
            let files = FileManager.default
            try files.setAttributes([.posixPermissions: 0o644], ofItemAtPath: "\(path)/ring.json")
            try files.createDirectory(atPath: "\(path)/public", withIntermediateDirectories: false)
            try files.moveItem(atPath: "\(path)/jwks.json", toPath: "\(path)/public/jwks.json")
            try files.createSymbolicLink(atPath: "\(path)/jwks.json", withDestinationPath: "public/jwks.json")
            #expect(try KeyRingTests.mode(added()) == 0o644)
            #expect(try KeyRingTests.mode("\(path)/ring.json") == 0o644)
            #expect(try files.destinationOfSymbolicLink(atPath: "\(path)/jwks.json") == "public/jwks.json")
            #expect(try KeyRing.verificationOnly(jwksFile: "\(path)/public/jwks.json").keys.count == 3)
            #expect(try !files.contentsOfDirectory(atPath: path).contains { $0.hasSuffix(".new") })
            #expect(try published(ring).first == first)
        }
    }

    @Test("A ring that cannot be read is not changed, and one without an index is none")
    func unreadable() async throws {
        try await withRing { ring, _, _ in
            try FileManager.default.removeItem(atPath: "\(ring.path)/refresh-1.key")
            let index = try Data(contentsOf: URL(filePath: "\(ring.path)/ring.json"))
            #expect(throws: KeyRingError.self) { try ring.add(.access) }
            #expect(throws: KeyRingError.self) { try ring.publish() }
            #expect(try Data(contentsOf: URL(filePath: "\(ring.path)/ring.json")) == index)
            #expect(throws: KeyRingError.self) { try KeyRingDirectory("\(ring.path)/nowhere").add(.access) }
        }
    }
}
