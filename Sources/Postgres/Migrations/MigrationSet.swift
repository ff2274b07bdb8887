import Crypto
import Foundation

/// One file of a migration directory.
package struct Migration: Sendable, Equatable {
    /// The number that the file's name starts with; 1 or more.
    package let version: Int
    /// The rest of the name: `outbox` for `0001_outbox.sql`.
    package let name: String
    /// The statements.
    package let sql: String
    /// SHA-256 of the file's bytes, in hexadecimal.
    package let checksum: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
        checksum = SHA256.hash(data: Data(sql.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    /// The file's name without its suffix.
    package var label: String {
        let digits = String(version)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "_" + name
    }
}

/// The migrations of one database, in order.
package struct MigrationSet: Sendable {
    package let migrations: [Migration]

    /// Migrations that do not come from files.
    /// - Throws: `MigrationError` when two have the same version.
    package init(_ migrations: [Migration]) throws(MigrationError) {
        self.migrations = migrations.sorted { $0.version < $1.version }
        for (earlier, later) in zip(self.migrations, self.migrations.dropFirst())
        where earlier.version == later.version {
            throw .duplicateVersion(earlier.label, later.label)
        }
    }

    /// Reads every `NNNN_name.sql` of a directory; other files are not looked at.
    package init(directory: String) throws(MigrationError) {
        guard let files = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            throw .unreadable("the migration directory \(directory)")
        }
        var migrations: [Migration] = []
        for file in files where file.hasSuffix(".sql") {
            guard let match = file.wholeMatch(of: /([0-9]{1,9})_([A-Za-z0-9_-]+)\.sql/),
                let version = Int(match.1), version > 0
            else { throw .badName(file) }
            guard let data = FileManager.default.contents(atPath: directory + "/" + file),
                let sql = String(data: data, encoding: .utf8)
            else { throw .unreadable(file) }
            migrations.append(Migration(version: version, name: String(match.2), sql: sql))
        }
        guard !migrations.isEmpty else { throw .empty(directory) }
        try self.init(migrations)
    }
}
