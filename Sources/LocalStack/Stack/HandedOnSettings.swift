import Foundation

/// What the caller of `authms up` set for every service: kept, so that the commands which speak to the running suite
/// speak as it does, whatever their own environment says.
package enum HandedOnSettings {
    private static func file(_ layout: StackLayout) -> String { "\(layout.secretsDirectory)/handed-on.json" }

    /// Writes the settings of a start over those of the one before; a shared secret may be among them, so nobody else
    /// may read the file.
    package static func record(_ environment: [String: String], in layout: StackLayout) throws {
        let settings = environment.filter { StackPlan.isHandedOn($0.key) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try Files.write(String(decoding: try encoder.encode(settings), as: UTF8.self), to: file(layout))
    }

    /// The caller's environment with the settings of the last start in place of its own; as it is where no start has
    /// left any.
    package static func recorded(in layout: StackLayout, over environment: [String: String]) -> [String: String] {
        guard let text = Files.read(file(layout)),
            let settings = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        else { return environment }
        return environment.filter { !StackPlan.isHandedOn($0.key) }.merging(settings) { _, recorded in recorded }
    }
}
