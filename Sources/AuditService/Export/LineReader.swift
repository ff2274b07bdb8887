import Foundation

/// Reads a file line by line in constant memory.
struct LineReader {
    /// No line is longer: a record's content is bounded at 64 KiB.
    static let maximumLine = 4 << 20
    private let file: FileHandle
    /// How many bytes of the file are still to be read.
    private var left: Int
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    /// - Parameter length: in bytes; what comes after them in the file is not read.
    /// - Returns: nil when there is no such file or it may not be read.
    init?(path: String, upTo length: Int = .max) {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        self.file = file
        left = length
    }

    /// The next line that is not empty; nil at the end.
    mutating func next() throws -> [UInt8]? {
        while true {
            if let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[start..<end])
                start = end + 1
                if !line.isEmpty { return line }
                continue
            }
            guard !isAtEnd else { return nil }
            buffer.removeFirst(start)
            start = 0
            guard buffer.count < Self.maximumLine else { throw ExportError("A line is longer than 4 MiB.") }
            guard left > 0, let more = try file.read(upToCount: min(left, 1 << 18)), !more.isEmpty else {
                isAtEnd = true
                defer { buffer = [] }
                try? file.close()
                return buffer.isEmpty ? nil : buffer
            }
            left -= more.count
            buffer += more
        }
    }
}
