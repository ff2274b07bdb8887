internal import Crypto
package import Foundation

/// A key ring's directory, changed step by step while processes read it.
///
/// Those that sign read `ring.json`, all others `jwks.json`. Each step replaces both files whole, the index first: a step that
/// was interrupted in between is completed by ``publish(now:)``. Modes and owners stay what they are.
package struct KeyRingDirectory: Sendable {
    /// What an operator is told of a key.
    package struct Listing: Sendable, Encodable, Equatable {
        package let kid: String
        package let algorithm: TokenAlgorithm
        package let use: KeyUse
        package let state: KeyState
        /// RFC 3339.
        package let createdAt: String
        /// RFC 3339; of a retired key alone.
        package let verifiesUntil: String?
        /// Whether `jwks.json` has it. A refresh key never is: those who read refresh tokens read the ring.
        package let isPublished: Bool

        package enum CodingKeys: String, CodingKey {
            case kid, use, state
            case algorithm = "alg"
            case createdAt = "created_at"
            case verifiesUntil = "verifies_until"
            case isPublished = "published"
        }
    }

    package let path: String

    package init(_ path: String) {
        self.path = path
    }

    private var index: String { "\(path)/\(KeyRing.indexName)" }
    private var published: String { "\(path)/\(KeyRing.publicName)" }

    /// The ring's keys, in its order.
    package func list() throws(KeyRingError) -> [Listing] {
        let published = publishedKeys()
        return try KeyRing.load(directory: path).keys.map { key in
            Listing(
                kid: key.kid, algorithm: key.algorithm, use: key.use, state: key.state,
                createdAt: Timestamp.render(key.createdAt), verifiesUntil: key.verifiesUntil.map(Timestamp.render),
                isPublished: Self.holds(published, key))
        }
    }

    /// Writes `jwks.json` anew from the ring, whatever it said.
    ///
    /// - Returns: the keys that it has now.
    @discardableResult
    package func publish(now: Date = Date()) throws(KeyRingError) -> [Listing] {
        let lock = try lock()
        defer { close(lock) }
        try write(publicKeys: try publicText(of: try KeyRing.load(directory: path), now: now))
        return try list().filter(\.isPublished)
    }

    /// Makes a key that verifies and does not sign yet, and publishes it.
    ///
    /// - Returns: its `kid`.
    package func add(_ use: KeyUse, now: Date = Date()) throws(KeyRingError) -> String {
        let lock = try lock()
        defer { close(lock) }
        // One that cannot be read is not to be added to.
        var entries = try KeyRing.entries(in: path)
        _ = try KeyRing.ring(of: entries, in: path)
        let key = KeyRing.newKey(use, state: .pending, now: now)
        try KeyRing.write(key.text, to: "\(path)/\(key.entry.file)", like: index, mode: 0o600)
        entries.append(key.entry)
        try replace(with: entries, now: now)
        return key.entry.kid
    }

    /// When every process that looks at the ring so often has what it says now.
    package func settles(lookedAtEvery interval: Duration) throws(KeyRingError) -> Date {
        var latest = Date.distantPast
        for file in [index, published] {
            let file = KeyRing.destination(of: file)
            guard let date = try? FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date else {
                throw .unreadable(file: file, reason: "there is no such file, or it may not be read")
            }
            latest = max(latest, date)
        }
        // A second to read it.
        return latest + Double(interval.components.seconds) + Double(interval.components.attoseconds) / 1e18 + 1
    }

    /// Lets a key sign. The one that signed before still verifies (`retiring`), and can be made the signing one again.
    ///
    /// - Parameter interval: how often processes look at the ring.
    /// - Returns: the `kid` that signed before, if there was one.
    /// - Throws: `KeyRingError.refusedChange` for a key that not every verifier knows: it is not published, or the files
    ///   were changed less than the interval ago.
    package func promote(
        _ kid: String, lookedAtEvery interval: Duration, now: Date = Date()
    ) throws(KeyRingError) -> String? {
        let lock = try lock()
        defer { close(lock) }
        var entries = try KeyRing.entries(in: path)
        let ring = try KeyRing.ring(of: entries, in: path)
        let key = try key(kid, of: ring)
        guard key.state != .active else { throw .refusedChange(reason: "\(kid) signs already") }
        guard key.verifies(at: now) else { throw .refusedChange(reason: "\(kid) is retired for good: add another key") }
        guard key.use == .refresh || Self.holds(publishedKeys(), key) else {
            throw .refusedChange(
                reason: "\(kid) is not in \(published), so nobody could verify its tokens: authms keys publish first")
        }
        let settled = try settles(lookedAtEvery: interval)
        guard settled <= now else {
            throw .refusedChange(
                reason: "the ring was changed a moment ago, and a process may not know \(kid) yet:"
                    + " try again after \(Timestamp.render(settled))")
        }
        var former: String?
        for position in entries.indices where entries[position].use == key.use {
            if entries[position].kid == kid {
                entries[position].state = .active
                entries[position].verifiesUntil = nil
            } else if entries[position].state == .active {
                former = entries[position].kid
                entries[position].state = .retiring
            }
        }
        try replace(with: entries, now: now)
        return former
    }

    /// Takes a key out of the ring, out of the published keys, and its file away: what it signed is refused from then on.
    ///
    /// - Parameter refusingWhatItSigned: a key that has ever signed is taken out with this alone.
    /// - Throws: `KeyRingError.refusedChange` for the key that signs, and for one that has signed, with what it would cost.
    package func remove(
        _ kid: String, refusingWhatItSigned: Bool = false, now: Date = Date()
    ) throws(KeyRingError) {
        let lock = try lock()
        defer { close(lock) }
        let entries = try KeyRing.entries(in: path)
        let key = try key(kid, of: try KeyRing.ring(of: entries, in: path))
        switch key.state {
        case .pending: break
        case .active:
            throw .refusedChange(
                reason: "\(kid) signs now, and without it nobody could sign: first authms keys add --use"
                    + " \(key.use.rawValue), and authms keys promote the new one")
        case .retiring, .retired:
            guard refusingWhatItSigned else {
                throw .refusedChange(
                    reason: "\(kid) has signed. \(Self.cost(key.use)). If that is meant: --refuse-its-tokens")
            }
        }
        let rest = entries.filter { $0.kid != kid }
        try replace(with: rest, now: now)
        for gone in entries where gone.kid == kid && !rest.contains(where: { $0.file == gone.file }) {
            do {
                try FileManager.default.removeItem(atPath: "\(path)/\(gone.file)")
            } catch {
                throw .unreadable(
                    file: "\(path)/\(gone.file)", reason: "\(kid) is out of the ring, but its file cannot be deleted")
            }
        }
    }

    /// What it costs to take a key out that has signed.
    package static func cost(_ use: KeyUse) -> String {
        switch use {
        case .access:
            "Without it its access tokens are refused (clients refresh them), its challenges and remembered devices (for up"
                + " to 90 days) are void; in the audit trail's ring no checkpoint that it signed can be verified any more,"
                + " so there it stays"
        case .refresh:
            "Without it its refresh tokens are refused: the sessions that have not been refreshed since another key signs"
                + " are lost, and their users sign in again"
        }
    }
}

extension KeyRingDirectory {
    /// Puts new lines in place of the index, and after it the public keys that go with them. Nothing is written unless the ring
    /// can be used: by those who sign, as ``KeyRingWatcher`` asks, and by those who verify.
    private func replace(with entries: [KeyRing.Entry], now: Date) throws(KeyRingError) {
        let ring = try KeyRing.ring(of: entries, in: path)
        let active = Set(ring.keys.filter { $0.state == .active }.map(\.use))
        try ring.selfTest(uses: KeyUse.allCases.filter(active.contains))
        let text = try publicText(of: ring, now: now)
        try KeyRing.write(try KeyRing.indexText(entries, in: path), to: index, like: index, mode: 0o600)
        try write(publicKeys: text)
    }

    private func write(publicKeys text: Data) throws(KeyRingError) {
        try KeyRing.write(text, to: published, like: published, mode: 0o644)
    }

    /// - Throws: for a ring whose public keys no verifier would take.
    private func publicText(of ring: KeyRing, now: Date) throws(KeyRingError) -> Data {
        let text = ring.jwks(at: now)
        _ = try KeyRing.verificationOnly(jwks: text, source: "the set of the public keys of \(index)")
        return text
    }

    private func publishedKeys() -> [RingKey] {
        (try? KeyRing.verificationOnly(jwksFile: published))?.keys ?? []
    }

    private static func holds(_ published: [RingKey], _ key: RingKey) -> Bool {
        guard let point = key.publicKey?.rawRepresentation else { return false }
        return published.contains { $0.kid == key.kid && $0.publicKey?.rawRepresentation == point }
    }

    private func key(_ kid: String, of ring: KeyRing) throws(KeyRingError) -> RingKey {
        guard let key = ring.keys.first(where: { $0.kid == kid }) else {
            throw .refusedChange(reason: "there is no key \(kid) in \(path): see authms keys list")
        }
        return key
    }

    /// One step at a time: two at once would each write the ring without the other's key. The kernel gives the lock up with
    /// the process.
    private func lock() throws(KeyRingError) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .unreadable(file: path, reason: "there is no such directory, or it may not be read")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw .refusedChange(reason: "another command is changing the keys in \(path)")
        }
        return descriptor
    }
}
