#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Wakes a thread that waits in `poll(2)`: a pipe whose reading end is polled beside the socket.
///
/// `ring()` may be called from any thread, any number of times; one `silence()` takes all rings back.
public final class Doorbell: Sendable {
    /// The end to poll for readability.
    public let readEnd: CInt
    private let writeEnd: CInt

    /// - Throws: `SystemFailure` when the process has no file descriptors left.
    public init() throws(SystemFailure) {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemFailure(call: "pipe", code: errno) }
        readEnd = ends[0]
        writeEnd = ends[1]
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// Wakes whoever polls. Never blocks: a pipe that is full has been rung already.
    public func ring() {
        var byte: UInt8 = 1
        _ = write(writeEnd, &byte, 1)
    }

    /// Takes back all rings so far.
    public func silence() {
        var bytes = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        withUnsafeMutableBytes(of: &bytes) { buffer in
            while read(readEnd, buffer.baseAddress, buffer.count) == buffer.count {}
        }
    }
}
