import ConnectionKit
import Contracts
package import Foundation

/// Copies of the signed statements as lines of a file for each tenant, in a directory that is not the database's: best on
/// another machine, or gathered from there.
package struct CheckpointCopies: Sendable {
    /// More than any statement has, in bytes.
    private static let maximumStatement = 16_384
    private let directory: String

    /// - Throws: when the directory is not there and cannot be made.
    package init(directory: String) throws {
        self.directory = directory
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
    }

    /// Appends, and waits until it is on the disk. The replicas of the service may do so at once.
    ///
    /// - Throws: ``SystemFailure`` when the disk is full, for example, or another replica holds the file for a second: it may
    ///   have been stopped in the midst of it. Then nothing was appended.
    package func append(_ checkpoint: Checkpoint) throws {
        let descriptor = open(path(of: checkpoint.tenantID), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw SystemFailure(call: "open", code: errno) }
        defer { close(descriptor) }
        try Self.lock(descriptor)
        let end = try Self.cutTornLine(descriptor)
        let line = Array("\(checkpoint.statement)\n".utf8)
        let written = write(descriptor, line, line.count)
        guard written == line.count, fsync(descriptor) == 0 else {
            let code = written < 0 || written == line.count ? errno : ENOSPC
            _ = ftruncate(descriptor, end)
            throw SystemFailure(call: "append to the copies", code: code)
        }
    }

    private static func lock(_ descriptor: CInt) throws(SystemFailure) {
        for _ in 0..<100 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            guard errno == EWOULDBLOCK || errno == EINTR else { break }
            usleep(10_000)
        }
        throw SystemFailure(call: "flock", code: errno)
    }

    /// What a power failure has left of a line goes: together with the next one it would pass for a forgery.
    ///
    /// - Returns: how long the file is then.
    private static func cutTornLine(_ descriptor: CInt) throws(SystemFailure) -> off_t {
        let length = lseek(descriptor, 0, SEEK_END)
        var tail = [UInt8](repeating: 0, count: Int(min(length, off_t(maximumStatement))))
        guard !tail.isEmpty else { return length }
        let count = pread(descriptor, &tail, tail.count, length - off_t(tail.count))
        guard count == tail.count else { throw SystemFailure(call: "pread", code: count < 0 ? errno : EIO) }
        let torn = tail.reversed().prefix { $0 != UInt8(ascii: "\n") }.count
        guard torn > 0, torn < tail.count || length == off_t(torn) else { return length }
        guard ftruncate(descriptor, length - off_t(torn)) == 0 else {
            throw SystemFailure(call: "ftruncate", code: errno)
        }
        return length - off_t(torn)
    }

    /// Reads the statements of a tenant, in the order in which they were signed; nil when there is no file.
    ///
    /// - Parameter length: as ``length(of:)`` said; what was appended since then is not read.
    package func reader(of tenantID: UUID, upTo length: Int = .max) -> CopyReader? {
        LineReader(path: path(of: tenantID), upTo: length).map(CopyReader.init)
    }

    /// How long a tenant's file is at present, in bytes: zero where there is none.
    package func length(of tenantID: UUID) -> Int {
        var status = stat()
        return stat(path(of: tenantID), &status) == 0 ? Int(status.st_size) : 0
    }

    /// The tenants that have a file.
    package func tenants() throws -> [UUID] {
        try FileManager.default.contentsOfDirectory(atPath: directory).sorted().compactMap { name in
            name.hasSuffix(".jws") ? UUID(uuidString: String(name.dropLast(4))) : nil
        }
    }

    private func path(of tenantID: UUID) -> String { "\(directory)/\(tenantID.text).jws" }
}

/// The copies of a tenant's statements, one after the other: constant memory.
package struct CopyReader {
    private var lines: LineReader

    init(_ lines: LineReader) {
        self.lines = lines
    }

    /// The next statement; nil at the end.
    ///
    /// - Throws: ``ExportError`` for a line that is too long, or what reading fails with.
    package mutating func next() throws -> String? {
        try lines.next().map { String(decoding: $0, as: UTF8.self) }
    }
}
