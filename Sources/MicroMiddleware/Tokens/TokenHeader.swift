import Foundation

/// What a JOSE header says, read strictly: it chooses no key but by name, and changes nothing of what is signed.
struct TokenHeader {
    private(set) var algorithm: String?
    private(set) var type: String?
    private(set) var keyID: String?

    /// - Throws: for anything but a JSON object with each member once and none of `TokenError.ForbiddenHeader`.
    init(_ encoded: UnsafeBufferPointer<UInt8>) throws(TokenError) {
        guard let bytes = Base64URL.decode(encoded) else { throw .badEncoding(.header) }
        self = try bytes.withUnsafeBufferPointer { (text) throws(TokenError) in try TokenHeader(json: text) }
    }

    private init(json text: UnsafeBufferPointer<UInt8>) throws(TokenError) {
        var json = try TokenJSON(text, part: .header)
        var forbidden: TokenError.ForbiddenHeader?
        while let name = try json.nextMember() {
            switch name {
            case "alg": algorithm = try json.string()
            case "typ": type = try json.string()
            case "kid": keyID = try json.string()
            default:
                forbidden = forbidden ?? TokenError.ForbiddenHeader(rawValue: name)
                try json.skip()
                continue
            }
            // One of the three with a value that is no string.
            if name == "alg", algorithm == nil { throw .algorithmRefused }
            if name == "typ", type == nil { throw .typeRefused }
            if name == "kid", keyID == nil { throw .missingKeyID }
        }
        if let forbidden { throw .forbiddenHeader(forbidden) }
    }

    /// The key that the header names, if algorithm, type and key go together.
    func key(
        in ring: KeyRing.Snapshot, for use: KeyUse, type expected: String
    ) throws(TokenError) -> RingKey {
        guard let algorithm = algorithm.flatMap(TokenAlgorithm.init(rawValue:)) else { throw .algorithmRefused }
        guard type == expected else { throw .typeRefused }
        guard let keyID else { throw .missingKeyID }
        guard let key = ring.key(keyID, for: use) else { throw .unknownKey }
        guard key.algorithm == algorithm else { throw .algorithmRefused }
        return key
    }
}
