package import Contracts
package import Foundation
import MicroMiddleware
package import Passkeys

/// A passkey or security key that somebody has registered.
package struct Passkey: Sendable, Hashable, Identifiable {
    /// How many a user may have.
    package static let maximumCount = 20

    package let id: UUID
    package let userID: UUID
    package let tenantID: UUID
    package let credentialID: [UInt8]
    package let publicKey: [UInt8]
    package let algorithm: PasskeyAlgorithm
    package var signCount: Int64
    package let transports: [String]
    package let aaguid: UUID
    package let attestation: String
    /// Whether it may be copied to the user's other devices.
    package let isSynced: Bool
    package var name: String
    package let createdAt: Date
    package var lastUsedAt: Date?

    package init(
        id: UUID, userID: UUID, tenantID: UUID, credentialID: [UInt8], publicKey: [UInt8],
        algorithm: PasskeyAlgorithm, signCount: Int64, transports: [String], aaguid: UUID, attestation: String,
        isSynced: Bool, name: String, createdAt: Date, lastUsedAt: Date? = nil
    ) {
        self.id = id
        self.userID = userID
        self.tenantID = tenantID
        self.credentialID = credentialID
        self.publicKey = publicKey
        self.algorithm = algorithm
        self.signCount = signCount
        self.transports = transports
        self.aaguid = aaguid
        self.attestation = attestation
        self.isSynced = isSynced
        self.name = name
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
    }

    /// How proving oneself with it is written (RFC 8176): the key of a device that cannot leave it, or one that is kept by
    /// software; that the user was there; and where it is the second of two factors or was unlocked by another, that it was
    /// more than one.
    package func methods(isMultiFactor: Bool) -> [String] {
        [isSynced ? "swk" : "hwk", "user"] + (isMultiFactor ? ["mfa"] : [])
    }

    package var descriptor: WebAuthnDescriptor {
        WebAuthnDescriptor(id: Base64URLText.text(credentialID), transports: transports)
    }

    /// A name as its owner gives it: 1 to 64 characters on one line.
    package static func name(_ text: String) throws(MFAError) -> String {
        let name = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard (1...64).contains(name.unicodeScalars.count),
            name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { throw .invalid("name", "must have 1 to 64 characters on one line") }
        return name
    }

    /// The transports that a browser names; what it may name in future is left out.
    package static func transports(_ names: [String]) -> [String] {
        let known = ["usb", "nfc", "ble", "smart-card", "hybrid", "internal"]
        return known.filter(names.contains)
    }
}
