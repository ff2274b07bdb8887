import Contracts
import Crypto
package import Foundation

/// A person's picture: pixels that this service has written itself.
package struct Avatar: Sendable, Equatable {
    /// Bytes of a picture as it is sent.
    package static let maximumUploadBytes = 2_097_152

    /// `image/png`, `image/jpeg` or `image/webp`.
    package let contentType: String
    package let width: Int
    package let height: Int
    package let bytes: [UInt8]
    /// SHA-256 of the bytes, in hexadecimal.
    package let digest: String

    package init(contentType: String, width: Int, height: Int, bytes: [UInt8]) {
        self.contentType = contentType
        self.width = width
        self.height = height
        self.bytes = bytes
        digest = Hex.text(Array(SHA256.hash(data: bytes)))
    }

    /// As an entity tag (RFC 9110, section 8.8.3).
    package var entityTag: String { "\"\(digest.prefix(32))\"" }

    /// Where the gateway serves it: another address for another picture, so that caches may keep it.
    package func address(of userID: UUID) -> String {
        "/profile/api/v1/profiles/\(userID.text)/avatar?v=\(digest.prefix(12))"
    }
}
