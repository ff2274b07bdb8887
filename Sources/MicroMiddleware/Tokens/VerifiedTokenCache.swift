import Crypto
import Foundation
import Synchronization

/// Tokens whose signature and claims were found good, by the SHA-256 of all their bytes; no token is kept in memory.
///
/// Bounded: each shard keeps a young and an old generation of half its share; when the young one is full it becomes the
/// old one, and what is used from the old one moves to the young one. What changes with time (expiry, revocation, the key
/// ring) is checked by the verifier on each use.
final class VerifiedTokenCache: Sendable {
    struct Entry: Sendable {
        let claims: AccessTokenClaims
        /// When neither the token nor its key's time to verify has ended.
        let goodUntil: Date
        /// The keys under which it was verified; under others it has to be verified again.
        let ring: KeyRing.Snapshot
    }

    /// The digest of a token, as two pairs of words.
    struct Key: Hashable, Sendable {
        private let words: (UInt64, UInt64, UInt64, UInt64)

        init(_ token: UnsafeBufferPointer<UInt8>) {
            var hash = SHA256()
            hash.update(bufferPointer: UnsafeRawBufferPointer(token))
            words = hash.finalize().withUnsafeBytes { bytes in
                (
                    bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
                )
            }
        }

        static func == (left: Key, right: Key) -> Bool { left.words == right.words }
        func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
        fileprivate var shard: Int { Int(words.1 % UInt64(VerifiedTokenCache.shardCount)) }
    }

    private struct Shard {
        var young: [Key: Entry] = [:]
        var old: [Key: Entry] = [:]
    }

    private final class LockedShard: Sendable {
        let state = Mutex(Shard())
    }

    private static let shardCount = 8
    private let shards: [LockedShard]
    private let generationCapacity: Int

    /// - Parameter capacity: the most entries that it keeps; 0 for none.
    init(capacity: Int) {
        shards = (0..<Self.shardCount).map { _ in LockedShard() }
        generationCapacity = capacity / Self.shardCount / 2
    }

    var isEnabled: Bool { generationCapacity > 0 }

    func entry(for key: Key) -> Entry? {
        shards[key.shard].state.withLock { shard in
            if let entry = shard.young[key] { return entry }
            guard let entry = shard.old.removeValue(forKey: key) else { return nil }
            insert(entry, for: key, into: &shard)
            return entry
        }
    }

    func store(_ entry: Entry, for key: Key) {
        shards[key.shard].state.withLock { insert(entry, for: key, into: &$0) }
    }

    func remove(_ key: Key) {
        shards[key.shard].state.withLock { shard in
            shard.young[key] = nil
            shard.old[key] = nil
        }
    }

    var count: Int {
        shards.reduce(0) { $0 + $1.state.withLock { $0.young.count + $0.old.count } }
    }

    private func insert(_ entry: Entry, for key: Key, into shard: inout Shard) {
        if shard.young.count >= generationCapacity {
            shard.old = shard.young
            shard.young.removeAll(keepingCapacity: false)
        }
        shard.young[key] = entry
    }
}
