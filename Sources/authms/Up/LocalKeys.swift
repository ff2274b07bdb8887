import LocalStack

/// The key ring of the private stack.
enum LocalKeys {
    /// Makes the keys at the first start.
    static func make(in layout: StackLayout) throws {
        try Files.makeDirectory(layout.keysDirectory)
    }
}
