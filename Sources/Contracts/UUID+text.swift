package import Foundation

extension UUID {
    /// The identifier as it is written everywhere outside of Swift: in lower case (RFC 9562, section 4).
    package var text: String { uuidString.lowercased() }
}
