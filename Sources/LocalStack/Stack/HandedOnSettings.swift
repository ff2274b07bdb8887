import Foundation

/// What the caller of `authms up` set for every service: kept, so that the commands which speak to the running suite
/// speak as it does, whatever their own environment says.
package enum HandedOnSettings {
    private static func file(_ layout: StackLayout) -> String { "\(layout.secretsDirectory)/handed-on.json" }

    /// Writes the settings of a start over those of the one before; a shared secret may be among them, so nobody else
    /// may read the file.
    package static func record(_ settings: [String: String], in layout: StackLayout) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try Files.write(String(decoding: try encoder.encode(settings), as: UTF8.self), to: file(layout))
    }

    /// The settings of the last start; nil where no start has left any.
    package static func recorded(in layout: StackLayout) -> [String: String]? {
        Files.read(file(layout)).flatMap { try? JSONDecoder().decode([String: String].self, from: Data($0.utf8)) }
    }
}
