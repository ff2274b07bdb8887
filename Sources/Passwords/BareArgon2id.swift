/// One Argon2id hash at the standard cost with nothing around it: what `make bench` holds the logins against.
package enum BareArgon2id {
    /// Blocks the calling thread for the time of one hash.
    package static func hashOnce() throws(PasswordHashingError) {
        guard Sodium.isReady else { throw .unavailable }
        _ = try Sodium.hash([UInt8](repeating: 7, count: 32), parameters: .standard)
    }
}
