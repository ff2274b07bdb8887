import Foundation
package import LocalStack
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where the servers of this test process keep their data. Ends with the process: at exit the servers are ended and the
/// directory is removed; if the process crashes the kernel ends the servers, and the next test run removes the directory.
package enum TestDirectory {
    private static let prefix = "authms-test-"
    private static let counter = Atomic(0)

    /// This process's directory, made at first use.
    package static let root: String = {
        let temporary = FileManager.default.temporaryDirectory.path(percentEncoded: false)
        let parent = temporary.hasSuffix("/") ? String(temporary.dropLast()) : temporary
        removeLeftovers(in: parent)
        let path = "\(parent)/\(prefix)\(getpid())"
        do {
            try Files.remove(path)
            // The account that PostgreSQL runs under must be able to walk through.
            try Files.makeDirectory(path, permissions: 0o755)
        } catch {
            preconditionFailure("tests need a directory for their servers: \(error)")
        }
        atexit { TestDirectory.endEverything() }
        return path
    }()

    /// A new directory for something called `name`.
    package static func make(_ name: String) throws(LocalStackError) -> String {
        let number = counter.add(1, ordering: .relaxed).newValue
        let path = "\(root)/\(name)-\(number)"
        try Files.makeDirectory(path, permissions: 0o755)
        return path
    }

    private static func endEverything() {
        for process in LiveProcesses.all {
            for child in ProcessTable.descendants(of: process) + [process] { kill(child, SIGKILL) }
        }
        try? FileManager.default.removeItem(atPath: root)
    }

    private static func removeLeftovers(in parent: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
            guard let process = Int32(name.dropFirst(prefix.count)), !ProcessTable.exists(process) else { continue }
            try? FileManager.default.removeItem(atPath: "\(parent)/\(name)")
        }
    }
}
