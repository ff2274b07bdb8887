import LocalStack
import MicroMiddleware

/// The key ring of the private stack.
enum LocalKeys {
    /// Makes the keys at the first start. A ring that was half made has no index yet, and is made anew.
    static func make(in layout: StackLayout) throws {
        guard !Files.exists("\(layout.keysDirectory)/\(KeyRing.indexName)") else { return }
        do {
            try KeyRing.generate(directory: layout.keysDirectory)
        } catch {
            throw LocalStackError(.storage, "The keys cannot be made: \(error)")
        }
    }
}
