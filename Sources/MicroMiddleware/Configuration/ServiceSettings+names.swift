internal import Foundation
internal import Yams

extension ServiceSettings {
    /// The names of all settings in the service's file, dotted; none where there is no file.
    /// - Throws: ``ConfigurationError`` when the file is not YAML.
    package func namesInFile() throws -> [String] {
        guard let text = try? String(contentsOfFile: fileName, encoding: .utf8) else { return [] }
        do {
            return try Yams.compose(yaml: text).map { Self.names(in: $0, below: "") } ?? []
        } catch {
            throw ConfigurationError.unreadable(fileName, reason: "\(error)")
        }
    }

    private static func names(in node: Node, below prefix: String) -> [String] {
        guard case .mapping(let mapping) = node else { return prefix.isEmpty ? [] : [prefix] }
        return mapping.flatMap { key, value in
            names(in: value, below: (prefix.isEmpty ? "" : prefix + ".") + (key.string ?? ""))
        }
    }
}
