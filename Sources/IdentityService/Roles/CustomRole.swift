import Contracts
package import Foundation
import MicroMiddleware

/// A role that a tenant made for itself.
package struct CustomRole: Sendable, Hashable {
    /// What tokens carry and assignments name; it never changes.
    package let name: String
    package let tenantID: UUID
    package var description: String
    /// The suite's permissions, and permissions of the tenant's own applications: see ``PermissionText``.
    package var permissions: [String]
    package var createdAt: Date
    package var updatedAt: Date

    package init(
        name: String, tenantID: UUID, description: String, permissions: [String], createdAt: Date, updatedAt: Date
    ) {
        self.name = name
        self.tenantID = tenantID
        self.description = description
        self.permissions = permissions
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// How many a tenant may have.
    package static let maximumCount = 100

    /// - Throws: ``IdentityError/invalid(_:)`` naming `name`.
    package static func acceptName(_ text: String) throws(IdentityError) -> String {
        let isFormed =
            (2...32).contains(text.utf8.count) && text.utf8.first.map(Self.isLetter) == true
            && text.utf8.allSatisfy { Self.isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x5F }
        guard isFormed else {
            throw .invalid("name", "must be 2 to 32 lower-case letters, digits, - and _, and begin with a letter")
        }
        guard BuiltInRole(rawValue: text) == nil else { throw .invalid("name", "is a built-in role") }
        return text
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
}

/// A permission as text. The suite's are those of ``Permission``. Applications of the tenant name theirs
/// `resource:action`, `resource:*` for every action, or `resource:action@id` for one thing alone.
package enum PermissionText {
    /// How many a role may have.
    package static let maximumCount = 100

    /// The permissions of a role, sorted and each once.
    /// - Throws: ``IdentityError/invalid(_:)`` naming the one that is none: `permissions[3]`.
    package static func accept(_ texts: [String]) throws(IdentityError) -> [String] {
        guard texts.count <= maximumCount else {
            throw .invalid("permissions", "must be at most \(maximumCount)")
        }
        for (index, text) in texts.enumerated() where !isFormed(text) {
            throw .invalid("permissions[\(index)]", "must be like documents:read, documents:* or documents:read@42")
        }
        return Set(texts).sorted()
    }

    /// Those of the suite's own among them: what tokens carry.
    package static func ofSuite(_ texts: [String]) -> [String] {
        texts.filter { Permission(rawValue: $0) != nil }
    }

    /// Those of the tenant's applications among them.
    package static func ofApplications(_ texts: [String]) -> [String] {
        texts.filter { Permission(rawValue: $0) == nil }
    }

    static func isFormed(_ text: String) -> Bool {
        guard text.utf8.count <= 128 else { return false }
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let names = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        guard names.count == 2, isName(names[0]), isName(names[1]) || names[1] == "*" else { return false }
        // A name of the suite's own means the suite's own permission, which is not narrowed.
        if isOfSuite(names[0]) { return parts.count == 1 && Permission(rawValue: text) != nil }
        return parts.count == 1
            || (names[1] != "*" && !parts[1].isEmpty && parts[1].utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
    }

    private static func isOfSuite(_ name: Substring) -> Bool {
        Permission.allCases.contains { $0.rawValue.hasPrefix(name + ":") }
    }

    private static func isName(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x5F || $0 == 0x2E
            }
    }
}
