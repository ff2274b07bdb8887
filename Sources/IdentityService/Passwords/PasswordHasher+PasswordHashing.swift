package import ConnectionKit
import Contracts
package import MicroMiddleware
package import Passwords

extension PasswordHasher: PasswordHashing {
    package func verify(_ password: String, against hash: String, deadline: Deadline) async throws -> PasswordVerdict {
        let verdict: (matches: Bool, needsRehash: Bool) = try await verify(password, against: hash, deadline: deadline)
        return PasswordVerdict(matches: verdict.matches, needsRehash: verdict.needsRehash)
    }
}

extension PasswordHashingError: APIErrorConvertible {
    package var apiError: APIError {
        switch self {
        case .overloaded(let retryAfter): APIError(.overloaded, retryAfter: retryAfter)
        case .deadlineExceeded, .cancelled: APIError(.overloaded)
        case .passwordTooLong: .invalid("password", "must have at most 1024 bytes")
        case .malformedHash, .unknownPepper, .invalidPepper, .outOfMemory, .unavailable: APIError(.internal)
        }
    }
}
