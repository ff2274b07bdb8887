import LocalStack
import MicroMiddleware

/// The key rings of the private stack: one for tokens, one for the checkpoints of the audit trail.
enum LocalKeys {
    /// Makes the keys that are not there. A ring that was half made has no index yet, and is made anew.
    static func make(in layout: StackLayout) throws {
        for directory in [layout.keysDirectory, layout.auditKeysDirectory] { try make(directory) }
    }

    private static func make(_ directory: String) throws {
        guard !Files.exists("\(directory)/\(KeyRing.indexName)") else { return }
        do {
            try KeyRing.generate(directory: directory)
        } catch {
            throw LocalStackError(.storage, "The keys cannot be made: \(error)")
        }
    }
}
