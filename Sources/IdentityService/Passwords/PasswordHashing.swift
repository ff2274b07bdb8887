package import ConnectionKit

/// What the rules need of a password hasher. Every call costs one run of Argon2id.
package protocol PasswordHashing: Sendable {
    func hash(_ password: String, deadline: Deadline) async throws -> String

    func verify(_ password: String, against hash: String, deadline: Deadline) async throws -> PasswordVerdict

    /// Takes as long as a verification and never matches: for users that do not exist.
    func verifyAgainstNothing(_ password: String, deadline: Deadline) async throws
}

/// Whether a password was right, and whether its hash was made with older parameters than today's.
package struct PasswordVerdict: Sendable {
    package var matches: Bool
    package var needsRehash: Bool

    package init(matches: Bool, needsRehash: Bool) {
        self.matches = matches
        self.needsRehash = needsRehash
    }
}
