/// Why the documents of the API cannot be put together: one sentence for whoever writes them.
package struct APIDocumentError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }
}
