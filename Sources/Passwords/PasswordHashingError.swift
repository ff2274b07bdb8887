/// Why a password was neither hashed nor verified. No case carries anything of the password or the hash.
package enum PasswordHashingError: Error, Equatable {
    /// The queue is full, or so long that the deadline would pass in it: come back after `retryAfter`.
    case overloaded(retryAfter: Duration)
    /// The deadline passed while the password waited; it was not hashed.
    case deadlineExceeded
    /// The caller's task was cancelled while the password waited; it was not hashed.
    case cancelled
    /// Longer than `PasswordHasher.maximumPasswordBytes` in UTF-8.
    case passwordTooLong
    /// The stored hash is not one that this module writes.
    case malformedHash
    /// The stored hash needs a pepper that is not configured.
    case unknownPepper(id: String)
    /// A pepper was refused.
    case invalidPepper(reason: String)
    /// There was not enough memory for the hash.
    case outOfMemory
    /// libsodium did not start.
    case unavailable
}

extension PasswordHashingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .overloaded(let retryAfter): "too many passwords wait to be hashed; retry after \(retryAfter)"
        case .deadlineExceeded: "the deadline passed before the password was hashed"
        case .cancelled: "cancelled before the password was hashed"
        case .passwordTooLong: "the password is longer than \(PasswordHasher.maximumPasswordBytes) bytes"
        case .malformedHash: "the stored password hash is malformed"
        case .unknownPepper(let id): "the pepper \(id), which a stored hash needs, is not configured"
        case .invalidPepper(let reason): "the pepper is refused: \(reason)"
        case .outOfMemory: "not enough memory to hash a password"
        case .unavailable: "libsodium cannot be initialised"
        }
    }
}
