import Synchronization

/// The keys that sign and verify tokens, as one snapshot that is replaced as a whole.
///
/// Keys live in files or the environment, never in a database. A verifier looks a `kid` up here and nowhere else: no
/// path is opened, no address is fetched, no query is made because of what a token says.
package final class KeyRing: Sendable {
    private let current: Mutex<Snapshot>

    /// - Throws: `KeyRingError.invalid` when two keys share a `kid`, two are active for one use, or a `kid` has a form
    ///   that is not allowed.
    package init(keys: [RingKey], source: String = "key ring") throws(KeyRingError) {
        current = Mutex(try Snapshot(keys: keys, source: source))
    }

    /// The keys in force. Keep it for one operation, not longer.
    package var snapshot: Snapshot {
        current.withLock { $0 }
    }

    package var keys: [RingKey] {
        snapshot.keys
    }

    /// Puts the keys of `other` in force, at once for every later signature and verification: tokens verified before
    /// under a key that is gone are refused too.
    package func replace(with other: KeyRing) {
        let next = other.snapshot
        current.withLock { $0 = next }
    }

    /// Signs and verifies with every key that can sign, and looks whether there is an active one for each use in
    /// `uses`: what readiness asks before traffic comes in.
    package func selfTest(uses: [KeyUse] = [.access]) throws(KeyRingError) {
        let snapshot = self.snapshot
        for use in uses where snapshot.signingKey(for: use) == nil { throw .noActiveKey(use) }
        let probe = Array("authms self-test".utf8)
        for key in snapshot.keys {
            if case .es256Public = key.material { continue }
            guard let signature = try? key.sign(probe) else { throw .selfTestFailed(kid: key.kid) }
            let isValid = probe.withUnsafeBytes { input in
                signature.withUnsafeBytes { key.isValid(signature: $0, over: input) }
            }
            guard isValid else { throw .selfTestFailed(kid: key.kid) }
        }
    }
}

extension KeyRing {
    /// An unchanging set of keys.
    package final class Snapshot: Sendable {
        package let keys: [RingKey]
        private let byID: [String: RingKey]
        private let signing: [KeyUse: RingKey]
        private let accessHeaders: [[UInt8]]

        init(keys: [RingKey], source: String) throws(KeyRingError) {
            var byID: [String: RingKey] = [:]
            var signing: [KeyUse: RingKey] = [:]
            for key in keys {
                guard RingKey.isWellFormed(kid: key.kid) else {
                    throw .invalid(file: source, reason: "a kid is 1 to 64 characters of A-Z a-z 0-9 . _ -")
                }
                guard byID.updateValue(key, forKey: key.kid) == nil else {
                    throw .invalid(file: source, reason: "the kid \(key.kid) appears twice")
                }
                guard key.state == .active else { continue }
                guard signing.updateValue(key, forKey: key.use) == nil else {
                    throw .invalid(file: source, reason: "two keys are active for \(key.use.rawValue) tokens")
                }
            }
            self.keys = keys
            self.byID = byID
            self.signing = signing.filter { $0.value.canSign }
            accessHeaders = keys.map { CompactToken.header(type: TokenIssuer.type, key: $0) }
        }

        /// The key of that name and use, in whatever state.
        package func key(_ kid: String, for use: KeyUse) -> RingKey? {
            guard let key = byID[kid], key.use == use else { return nil }
            return key
        }

        /// The access key whose tokens have exactly this encoded header, if any: spares the verifier parsing it.
        func key(forAccessTokenHeader header: UnsafeBufferPointer<UInt8>) -> RingKey? {
            for (index, known) in accessHeaders.enumerated() where known.count == header.count {
                let key = keys[index]
                if key.use == .access, known.elementsEqual(header) { return key }
            }
            return nil
        }

        /// The key that signs, if this process holds one.
        package func signingKey(for use: KeyUse) -> RingKey? {
            signing[use]
        }
    }
}
