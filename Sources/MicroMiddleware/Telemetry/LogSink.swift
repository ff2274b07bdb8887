#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where log lines go: a file descriptor, one `write(2)` a line, so that lines of several processes never mix.
package struct LogSink: Sendable {
    private let write: @Sendable ([UInt8]) -> Void

    /// A sink of one's own; it gets each line with its newline.
    package init(_ write: @escaping @Sendable ([UInt8]) -> Void) {
        self.write = write
    }

    /// Standard error: standard output belongs to what a command prints.
    package static let standardError = LogSink { line in
        var offset = 0
        while offset < line.count {
            let written = line[offset...].withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if written < 0, errno != EINTR { return }
            offset += max(0, written)
        }
    }

    /// Writes one line.
    package func callAsFunction(_ line: [UInt8]) {
        write(line)
    }
}
