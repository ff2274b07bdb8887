package import ConnectionKit
import Foundation

/// What a hashing thread gives back.
enum PasswordHashingOutcome: Sendable {
    case hash(String)
    case verified(matches: Bool, needsRehash: Bool)
}

/// Hashes and verifies passwords with Argon2id and a pepper, on threads of its own behind a bounded queue.
///
/// A login storm does not take the cooperative pool's threads, nor memory without bound: past the queue's limit, or when
/// the deadline would pass in it, a caller is told at once to come back.
package final class PasswordHasher: Sendable {
    /// The longest password, in bytes of UTF-8.
    package static let maximumPasswordBytes = 1_024

    private let parameters: Argon2idParameters
    private let peppers: PepperRing
    private let queue: HashingQueue
    private let impossibleHash: String

    /// - Parameters:
    ///   - threads: how many passwords are hashed at a time, each with `parameters.memoryKiB` of memory.
    ///   - queueLimit: how many may wait.
    /// - Throws: `PasswordHashingError.unavailable` when libsodium does not start.
    package init(
        parameters: Argon2idParameters = .standard, peppers: PepperRing,
        threads: Int = ProcessInfo.processInfo.activeProcessorCount, queueLimit: Int = 128
    ) throws(PasswordHashingError) {
        precondition(threads > 0 && queueLimit > 0, "a hasher needs a thread and a queue")
        guard Sodium.isReady else { throw .unavailable }
        self.parameters = parameters
        self.peppers = peppers
        queue = HashingQueue(threads: threads, limit: queueLimit, memoryBytes: parameters.memoryBytes)
        impossibleHash = try PasswordHash.stored(
            sodium: Sodium.impossibleHash(parameters: parameters), pepperID: peppers.current.id)
    }

    /// The string to store for a password; another one each time.
    package func hash(_ password: String, deadline: Deadline) async throws(PasswordHashingError) -> String {
        try Self.check(password)
        let outcome = try await queue.run(deadline: deadline) {
            [parameters, pepper = peppers.current] () throws(PasswordHashingError) in
            let hash = try Sodium.hash(Sodium.peppered(password, with: pepper), parameters: parameters)
            return .hash(try PasswordHash.stored(sodium: hash, pepperID: pepper.id))
        }
        guard case .hash(let stored) = outcome else { throw .unavailable }
        return stored
    }

    /// Whether a password is the one that a stored hash was made of, and if so whether it should be hashed anew: the
    /// parameters rose or the pepper changed since. An empty password costs as much as any.
    package func verify(
        _ password: String, against stored: String, deadline: Deadline
    ) async throws(PasswordHashingError) -> (matches: Bool, needsRehash: Bool) {
        try Self.check(password)
        let hash = try PasswordHash(stored: stored)
        guard let pepper = peppers.pepper(hash.pepperID) else { throw .unknownPepper(id: hash.pepperID) }
        let isCurrent =
            hash.parameters.memoryKiB >= parameters.memoryKiB && hash.parameters.iterations >= parameters.iterations
            && hash.pepperID == peppers.current.id
        let outcome = try await queue.run(deadline: deadline) { () throws(PasswordHashingError) in
            let matches = try Sodium.verify(Sodium.peppered(password, with: pepper), against: hash.sodium)
            return .verified(matches: matches, needsRehash: matches && !isCurrent)
        }
        guard case .verified(let matches, let needsRehash) = outcome else { throw .unavailable }
        return (matches, needsRehash)
    }

    /// Does the work of `verify` where there is no hash to verify against, so that a user who does not exist takes as
    /// long, and waits in the same queue, as one who does. It never matches.
    package func verifyAgainstNothing(_ password: String, deadline: Deadline) async throws(PasswordHashingError) {
        _ = try await verify(password, against: impossibleHash, deadline: deadline)
    }

    /// How many passwords were hashed in memory that was kept from the one before, which is much faster.
    package var lentCount: Int { queue.lentCount }

    /// How many passwords wait to be hashed: a gauge for metrics.
    package var queueLength: Int { queue.count }

    private static func check(_ password: String) throws(PasswordHashingError) {
        guard password.utf8.count <= maximumPasswordBytes else { throw .passwordTooLong }
    }
}
