import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// An account of this machine that a program runs under: PostgreSQL refuses to run as root.
package struct SystemAccount: Sendable, Equatable {
    package let name: String
    package let userID: UInt32
    package let groupID: UInt32

    /// The account of that name, if the machine has it.
    package init?(named name: String) {
        guard let entry = getpwnam(name) else { return nil }
        self.name = name
        userID = entry.pointee.pw_uid
        groupID = entry.pointee.pw_gid
    }

    /// Whether this process runs as root.
    package static var currentIsRoot: Bool { geteuid() == 0 }

    /// The name of the user that this process runs as.
    package static var currentName: String {
        guard let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name else { return "\(geteuid())" }
        return String(cString: name)
    }

    /// The account that PostgreSQL runs under: `postgres` where this process is root, else nobody but ourselves.
    ///
    /// - Throws: `LocalStackError.unavailable` when this is root and the machine has no such account.
    package static func forPostgres() throws(LocalStackError) -> SystemAccount? {
        guard currentIsRoot else { return nil }
        guard let account = SystemAccount(named: "postgres") else {
            throw LocalStackError(
                .unavailable,
                "PostgreSQL refuses to run as root, and this machine has no account 'postgres' to run it under: "
                    + "install the package postgresql-15, or run this as an ordinary user.")
        }
        return account
    }

    /// Whether the account may walk every directory above `path` (but not `path` itself).
    package func canReach(_ path: String) -> Bool {
        var directory = URL(filePath: path).standardizedFileURL.deletingLastPathComponent()
        while true {
            guard
                let attributes = try? FileManager.default.attributesOfItem(
                    atPath: directory.path(percentEncoded: false)),
                let mode = attributes[.posixPermissions] as? Int
            else { return false }
            let permitted =
                if attributes[.ownerAccountID] as? Int == Int(userID) {
                    mode & 0o100
                } else if attributes[.groupOwnerAccountID] as? Int == Int(groupID) {
                    mode & 0o010
                } else {
                    mode & 0o001
                }
            if permitted == 0 { return false }
            if directory.path(percentEncoded: false) == "/" { return true }
            directory = directory.deletingLastPathComponent()
        }
    }

    /// Makes the account the owner of a file or directory.
    package func own(_ path: String) throws(LocalStackError) {
        guard chown(path, userID, groupID) == 0 else {
            throw LocalStackError(
                .storage, "Cannot give \(path) to the user \(name): \(String(cString: strerror(errno))).")
        }
    }
}
