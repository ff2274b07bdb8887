import Foundation

/// The compact serialization of a JWS (RFC 7515 §7.1): three base64url parts with dots between them.
enum CompactToken {
    private static let dot = UInt8(ascii: ".")

    /// The header of every token of that type under that key: always the same bytes, so that a verifier recognises it
    /// without parsing.
    static func header(type: String, key: RingKey) -> [UInt8] {
        // A kid holds no character that JSON would escape: RingKey.isWellFormed.
        Base64URL.encodeBytes(Array(#"{"alg":"\#(key.algorithm.rawValue)","kid":"\#(key.kid)","typ":"\#(type)"}"#.utf8))
    }

    static func sign(_ claims: some Encodable, type: String, key: RingKey) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        var text = header(type: type, key: key)
        text.append(dot)
        text += Base64URL.encodeBytes(Array(try encoder.encode(claims)))
        let signature = try key.sign(text)
        text.append(dot)
        text += Base64URL.encodeBytes(signature)
        return String(decoding: text, as: UTF8.self)
    }

    /// The three parts and what the signature covers, as views of the token's bytes.
    struct Parts {
        let header: UnsafeBufferPointer<UInt8>
        let claims: UnsafeBufferPointer<UInt8>
        let signature: UnsafeBufferPointer<UInt8>
        let signed: UnsafeRawBufferPointer

        /// - Throws: `TokenError.notCompact` unless there are exactly two dots and three parts that are not empty. (A
        ///   token without a signature ends in a dot, so it falls here.)
        init(_ token: UnsafeBufferPointer<UInt8>) throws(TokenError) {
            guard let first = token.firstIndex(of: dot), let last = token.lastIndex(of: dot), first < last,
                first > 0, last > first + 1, last + 1 < token.count
            else { throw .notCompact }
            header = UnsafeBufferPointer(rebasing: token[..<first])
            claims = UnsafeBufferPointer(rebasing: token[(first + 1)..<last])
            signature = UnsafeBufferPointer(rebasing: token[(last + 1)...])
            signed = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: token[..<last]))
            guard !claims.contains(dot) else { throw .notCompact }
        }
    }
}
