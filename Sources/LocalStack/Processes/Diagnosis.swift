import Foundation

/// Makes one clear sentence of what a program wrote before it ended.
package enum Diagnosis {
    /// The kind of trouble that the words speak of.
    package static func kind(of words: String) -> LocalStackError.Kind {
        if words.contains("No space left on device") || words.contains("Disk quota exceeded") { return .storage }
        if words.contains("Address already in use") || words.contains("eaddrinuse") { return .inUse }
        if words.contains("Permission denied") || words.contains("Read-only file system") { return .storage }
        return .failedToStart
    }

    /// A sentence on the kinds of trouble that have a remedy; nil for the others.
    package static func remedy(for words: String, directory: String) -> String? {
        if words.contains("No space left on device") || words.contains("Disk quota exceeded") {
            return "The disk that holds \(directory) is full: make room and start again."
        }
        if words.contains("Read-only file system") {
            return "The disk that holds \(directory) is read-only: place the checkout on another one."
        }
        return nil
    }

    /// The last lines that say something, joined into one. Of a service's log it is what was said apart from the JSON
    /// lines since the last of them, if anything was: its own sentence on why it ended.
    package static func lastWords(_ text: String, lines: Int) -> String {
        let said = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        let plain = said.reversed().prefix { !$0.hasPrefix("{") }.reversed()
        return (plain.isEmpty ? said : Array(plain)).suffix(lines).joined(separator: " | ")
    }

    /// The last lines of a log file; reads at most its last 16 KiB.
    package static func lastWords(ofLog path: String, lines: Int = 3) -> String {
        lastWords(tail(of: path), lines: lines)
    }

    /// The end of a log file.
    package static func tail(of path: String, bytes: UInt64 = 16 * 1_024) -> String {
        guard let handle = FileHandle(forReadingAtPath: path) else { return "" }
        defer { try? handle.close() }
        let size = (try? handle.seekToEnd()) ?? 0
        try? handle.seek(toOffset: size > bytes ? size - bytes : 0)
        return String(decoding: (try? handle.readToEnd()) ?? Data(), as: UTF8.self)
    }
}
