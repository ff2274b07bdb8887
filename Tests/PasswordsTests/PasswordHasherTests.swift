import ConnectionKit
import Foundation
import Passwords
import Testing

@Suite("Passwords")
struct PasswordHasherTests {
    /// Cheap, for what does not depend on the cost.
    static let cheap = Argon2idParameters(memoryKiB: 64, iterations: 1)
    let deadline = Deadline.after(.seconds(30))

    static func pepper(_ id: String, _ byte: UInt8 = 7) throws -> Pepper {
        try Pepper(id: id, bytes: [UInt8](repeating: byte, count: 32))
    }

    static func hasher(
        parameters: Argon2idParameters = cheap, peppers: PepperRing? = nil, threads: Int = 1, queueLimit: Int = 64
    ) throws -> PasswordHasher {
        let peppers = try peppers ?? PepperRing(current: pepper("p1"))
        return try PasswordHasher(parameters: parameters, peppers: peppers, threads: threads, queueLimit: queueLimit)
    }

    @Test("A hash is a PHC string of Argon2id at 19 MiB and two passes that names its pepper")
    func storedForm() async throws {
        let hasher = try Self.hasher(parameters: .standard)
        let stored = try await hasher.hash("correct horse", deadline: deadline)
        #expect(stored.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1,keyid=p1$"))
        #expect(stored.split(separator: "$").count == 5)
        let result = try await hasher.verify("correct horse", against: stored, deadline: deadline)
        #expect(result == (true, false))
    }

    @Test("Two hashes of one password differ, and each verifies that password alone")
    func salted() async throws {
        let hasher = try Self.hasher()
        let one = try await hasher.hash("s3cret", deadline: deadline)
        let other = try await hasher.hash("s3cret", deadline: deadline)
        #expect(one != other)
        for wrong in ["", "s3cre", "s3cret ", "S3cret", "s3cret\u{0}", "\u{0}"] {
            #expect(try await hasher.verify(wrong, against: one, deadline: deadline) == (false, false))
        }
        #expect(try await hasher.verify("s3cret", against: other, deadline: deadline).matches)
    }

    @Test("Hashes in memory kept from the one before are those of libsodium's own, and no trace of one is in the next")
    func keptMemory() async throws {
        let keeping = try Self.hasher(parameters: .standard)
        // Its memory is too small for what is stored, so libsodium takes its own.
        let bare = try Self.hasher()
        for password in ["one", "two", "three"] {
            let stored = try await keeping.hash(password, deadline: deadline)
            #expect(try await keeping.verify(password, against: stored, deadline: deadline).matches)
            #expect(try await keeping.verify("four", against: stored, deadline: deadline).matches == false)
            #expect(try await bare.verify(password, against: stored, deadline: deadline).matches)
        }
        #expect(keeping.lentCount == 9)
        #expect(bare.lentCount == 0)
    }

    @Test("A password matches however its characters are composed")
    func normalised() async throws {
        let hasher = try Self.hasher()
        let stored = try await hasher.hash("caf\u{E9} \u{FB01}", deadline: deadline)
        #expect(try await hasher.verify("cafe\u{301} fi", against: stored, deadline: deadline).matches)
    }

    @Test("What follows a NUL counts")
    func nul() async throws {
        let hasher = try Self.hasher()
        let stored = try await hasher.hash("a\u{0}b", deadline: deadline)
        #expect(try await hasher.verify("a\u{0}c", against: stored, deadline: deadline).matches == false)
        #expect(try await hasher.verify("a\u{0}b", against: stored, deadline: deadline).matches)
    }

    @Test("With a new pepper the one before still verifies, and asks for a new hash; without it nobody can say")
    func rotation() async throws {
        let (old, new) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        func hasher(_ current: [UInt8], previous: [UInt8]? = nil) throws -> PasswordHasher {
            try Self.hasher(peppers: PepperRing(current: current, previous: previous))
        }
        let stored = try await hasher(old).hash("s3cret", deadline: deadline)
        let rotated = try hasher(new, previous: old)
        #expect(try await rotated.verify("s3cret", against: stored, deadline: deadline) == (true, true))
        #expect(try await rotated.verify("other", against: stored, deadline: deadline) == (false, false))
        let anew = try await rotated.hash("s3cret", deadline: deadline)
        #expect(try await hasher(new).verify("s3cret", against: anew, deadline: deadline) == (true, false))
        await #expect(throws: PasswordHashingError.self) {
            try await hasher(new).verify("s3cret", against: stored, deadline: deadline)
        }
    }

    @Test("A hash that names its pepper p1 is verified with the oldest one that is configured")
    func firstName() async throws {
        let (old, new) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        let stored = try await Self.hasher(peppers: PepperRing(current: Pepper(id: "p1", bytes: old)))
            .hash("s3cret", deadline: deadline)
        for ring in [try PepperRing(current: old, previous: nil), try PepperRing(current: new, previous: old)] {
            let hasher = try Self.hasher(peppers: ring)
            #expect(try await hasher.verify("s3cret", against: stored, deadline: deadline) == (true, true))
        }
    }

    @Test("A hash under another pepper of the same name does not verify")
    func pepperMatters() async throws {
        let stored = try await Self.hasher().hash("s3cret", deadline: deadline)
        let other = try Self.hasher(peppers: PepperRing(current: Self.pepper("p1", 8)))
        #expect(try await other.verify("s3cret", against: stored, deadline: deadline).matches == false)
    }

    @Test("A hash under the pepper before verifies and asks to be renewed; under an unknown one it is refused by name")
    func pepperRotation() async throws {
        let stored = try await Self.hasher().hash("s3cret", deadline: deadline)
        let rotated = try Self.hasher(
            peppers: PepperRing(current: Self.pepper("p2", 9), previous: [Self.pepper("p1")]))
        #expect(try await rotated.verify("s3cret", against: stored, deadline: deadline) == (true, true))
        #expect(try await rotated.verify("wrong", against: stored, deadline: deadline) == (false, false))
        let forgetful = try Self.hasher(peppers: PepperRing(current: Self.pepper("p2", 9)))
        await #expect(throws: PasswordHashingError.unknownPepper(id: "p1")) {
            try await forgetful.verify("s3cret", against: stored, deadline: deadline)
        }
    }

    @Test("A hash at a lower cost asks to be renewed when the password is right, at a higher one it does not")
    func parametersRise() async throws {
        let stored = try await Self.hasher().hash("s3cret", deadline: deadline)
        let dearer = try Self.hasher(parameters: Argon2idParameters(memoryKiB: 128, iterations: 2))
        #expect(try await dearer.verify("s3cret", against: stored, deadline: deadline) == (true, true))
        #expect(try await dearer.verify("other", against: stored, deadline: deadline) == (false, false))
        let renewed = try await dearer.hash("s3cret", deadline: deadline)
        #expect(try await Self.hasher().verify("s3cret", against: renewed, deadline: deadline) == (true, false))
    }

    @Test(
        "A stored hash of another form is refused before any memory is spent on it",
        arguments: [
            "", "$", "plain", "$2b$12$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=64,t=1,p=1,keyid=p1$c2FsdA$aGFzaA",
            "$argon2id$v=16$m=64,t=1,p=1,keyid=p1$c2FsdA$aGFzaA", "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$aGFzaA",
            "$argon2id$v=19$m=4294967295,t=1,p=1,keyid=p1$c2FsdA$aGFzaA",
            "$argon2id$v=19$m=64,t=4294967295,p=1,keyid=p1$c2FsdA$aGFzaA",
            "$argon2id$v=19$m=-64,t=1,p=1,keyid=p1$c2FsdA$aGFzaA",
            "$argon2id$v=19$m=64,t=1,p=1,keyid=../p1$c2FsdA$aGFzaA",
            "$argon2id$v=19$m=64,t=1,p=1,keyid=p1$c2FsdA$aGFzaA$more",
        ])
    func malformed(stored: String) async throws {
        let hasher = try Self.hasher()
        await #expect(throws: PasswordHashingError.malformedHash) {
            try await hasher.verify("s3cret", against: stored, deadline: deadline)
        }
    }

    @Test("A password over 1024 bytes is refused, one of 1024 is not")
    func longest() async throws {
        let hasher = try Self.hasher()
        let longest = String(repeating: "p", count: PasswordHasher.maximumPasswordBytes)
        let stored = try await hasher.hash(longest, deadline: deadline)
        #expect(try await hasher.verify(longest, against: stored, deadline: deadline).matches)
        await #expect(throws: PasswordHashingError.passwordTooLong) {
            try await hasher.hash(longest + "p", deadline: deadline)
        }
    }

    @Test("A pepper is at least 32 bytes with a plain name, and never prints its bytes")
    func peppers() throws {
        #expect(throws: PasswordHashingError.self) { try Pepper(id: "p1", bytes: [UInt8](repeating: 1, count: 31)) }
        #expect(throws: PasswordHashingError.self) { try Pepper(id: "p,1", bytes: [UInt8](repeating: 1, count: 32)) }
        let pepper = try Self.pepper("p1", 0xAB)
        var dumped = ""
        dump(pepper, to: &dumped)
        for text in ["\(pepper)", String(reflecting: pepper), dumped] {
            #expect(!text.contains("171") && !text.lowercased().contains("ab, ab"))
        }
    }

    @Test("A user who does not exist takes as long as a wrong password")
    func equalTime() async throws {
        let hasher = try Self.hasher(parameters: .standard)
        let stored = try await hasher.hash("s3cret", deadline: deadline)
        var wrong: [Duration] = []
        var nobody: [Duration] = []
        let clock = ContinuousClock()
        for _ in 0..<15 {
            wrong.append(
                try await clock.measure { _ = try await hasher.verify("", against: stored, deadline: deadline) })
            nobody.append(
                try await clock.measure { try await hasher.verifyAgainstNothing("s3cret", deadline: deadline) })
        }
        // The quickest of each: noise only ever adds.
        let (first, second) = (try #require(wrong.min()), try #require(nobody.min()))
        #expect(first < second * 1.25 && second < first * 1.25, "\(first) for a wrong password, \(second) for nobody")
    }
}
