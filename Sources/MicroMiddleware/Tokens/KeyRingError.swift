/// Why a key ring could not be read, or cannot do what was asked. The texts name files and keys, never key material.
package enum KeyRingError: Error, Equatable, CustomStringConvertible {
    /// A file of the ring could not be read or written.
    case unreadable(file: String, reason: String)
    /// A file of the ring says something that it may not say.
    case invalid(file: String, reason: String)
    /// A secret from the environment was refused.
    case refusedSecret(variable: String, reason: String)
    /// No key signs for this use: the ring was made from public keys only, or none is active.
    case noActiveKey(KeyUse)
    /// A key did not verify what it signed.
    case selfTestFailed(kid: String)
    /// A change of the ring would take tokens away, or is not possible in the state that its keys are in.
    case refusedChange(reason: String)

    package var description: String {
        switch self {
        case .unreadable(let file, let reason): "key ring: \(file) cannot be used: \(reason)"
        case .invalid(let file, let reason): "key ring: \(file) is not valid: \(reason)"
        case .refusedSecret(let variable, let reason): "\(variable) is refused: \(reason)"
        case .noActiveKey(let use): "key ring: no active key for \(use.rawValue) tokens that this process may sign with"
        case .selfTestFailed(let kid): "key ring: key \(kid) does not verify what it signs"
        case .refusedChange(let reason): reason
        }
    }
}
