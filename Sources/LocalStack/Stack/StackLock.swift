import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Lets one supervisor run in a checkout. The kernel gives the lock up with the process, so it is never stale.
package final class StackLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `LocalStackError.inUse` when another supervisor runs here.
    package init(_ layout: StackLayout) throws(LocalStackError) {
        try Files.makeDirectory(layout.root, permissions: 0o755)
        try Files.makeDirectory(layout.runDirectory)
        descriptor = open(layout.lockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw LocalStackError(
                .storage, "Cannot write \(layout.lockFile): \(String(cString: strerror(errno))).")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Files.read(layout.lockFile)?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "?"
            close(descriptor)
            throw LocalStackError(
                .inUse,
                "The suite runs here already (process \(holder)): `authms status` shows it, `authms down` stops it.")
        }
        let text = "\(getpid())\n"
        ftruncate(descriptor, 0)
        _ = pwrite(descriptor, text, text.utf8.count, 0)
    }

    deinit {
        close(descriptor)
    }

    /// Whether a supervisor runs in the checkout.
    package static func isHeld(_ layout: StackLayout) -> Bool {
        let descriptor = open(layout.lockFile, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) != 0
    }
}
