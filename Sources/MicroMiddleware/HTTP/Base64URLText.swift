/// Bytes as base64url without padding (RFC 4648, section 5), for bodies that carry them.
package enum Base64URLText {
    package static func text(_ bytes: [UInt8]) -> String { Base64URL.encode(bytes) }

    /// The bytes of a text, or nil when it is not their one canonical spelling.
    package static func bytes(_ text: String) -> [UInt8]? { Base64URL.decode(text) }
}
