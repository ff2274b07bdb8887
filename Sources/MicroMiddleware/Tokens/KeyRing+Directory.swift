import Crypto
package import Foundation

extension KeyRing {
    /// The file in a ring's directory that lists its keys.
    package static let indexName = "ring.json"
    /// The file in a ring's directory that holds its public keys.
    package static let publicName = "jwks.json"

    /// One line of `ring.json`.
    struct Entry: Codable {
        var kid: String
        var use: KeyUse
        var alg: TokenAlgorithm
        var state: KeyState
        var file: String
        var createdAt: Int64
        var verifiesUntil: Int64?

        enum CodingKeys: String, CodingKey {
            case kid, use, alg, state, file
            case createdAt = "created_at"
            case verifiesUntil = "verifies_until"
        }
    }

    /// Reads `ring.json` and the key files that it names: PEM for ES256, base64 of at least 32 bytes for HS256.
    ///
    /// - Throws: `KeyRingError` naming the file and what is wrong with it.
    package static func load(directory: String) throws(KeyRingError) -> KeyRing {
        try ring(of: try entries(in: directory), in: directory)
    }

    /// The lines of a directory's `ring.json`.
    static func entries(in directory: String) throws(KeyRingError) -> [Entry] {
        let index = "\(directory)/\(indexName)"
        do {
            return try JSONDecoder().decode([Entry].self, from: try contents(of: index))
        } catch let error as KeyRingError {
            throw error
        } catch {
            throw .invalid(file: index, reason: "it is not a JSON array of {kid, use, alg, state, file, created_at}")
        }
    }

    /// The ring that an index of these lines makes, with the key files that they name.
    static func ring(of entries: [Entry], in directory: String) throws(KeyRingError) -> KeyRing {
        let index = "\(directory)/\(indexName)"
        var keys: [RingKey] = []
        for entry in entries {
            guard RingKey.isWellFormed(kid: entry.file), !entry.file.hasPrefix(".") else {
                throw .invalid(file: index, reason: "the file of key \(keys.count + 1) is not a plain file name")
            }
            keys.append(
                RingKey(
                    kid: entry.kid, use: entry.use, state: entry.state,
                    createdAt: Date(timeIntervalSince1970: Double(entry.createdAt)),
                    verifiesUntil: entry.verifiesUntil.map { Date(timeIntervalSince1970: Double($0)) },
                    material: try material(of: entry, file: "\(directory)/\(entry.file)")))
        }
        return try KeyRing(keys: keys, source: index)
    }

    /// What `ring.json` says for these lines.
    static func indexText(_ entries: [Entry], in directory: String) throws(KeyRingError) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        guard let text = try? encoder.encode(entries) else {
            throw .unreadable(file: "\(directory)/\(indexName)", reason: "it cannot be encoded")
        }
        return text
    }

    /// A new key: ES256 for access tokens, HS256 for refresh tokens.
    ///
    /// - Parameter file: its file's name; of its own where none is given.
    /// - Returns: its line, and what its file says.
    static func newKey(
        _ use: KeyUse, state: KeyState, file: String? = nil, now: Date
    ) -> (entry: Entry, text: Data) {
        let name = identifier()
        switch use {
        case .access:
            let entry = Entry(
                kid: "es-\(name)", use: use, alg: .es256, state: state, file: file ?? "access-\(name).pem",
                createdAt: now.wholeSeconds)
            return (entry, Data(P256.Signing.PrivateKey().pemRepresentation.utf8))
        case .refresh:
            let entry = Entry(
                kid: "rt-\(name)", use: use, alg: .hs256, state: state, file: file ?? "refresh-\(name).key",
                createdAt: now.wholeSeconds)
            return (entry, SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }.base64EncodedData())
        }
    }

    /// Makes a ring of one ES256 access key and one HS256 refresh key in `directory`, which is created (mode 0700) if it
    /// is not there. Files are 0600, except `jwks.json` (0644). The index is written last, so a ring that was half made
    /// is made anew and a ring that is there is never touched.
    ///
    /// - Throws: `KeyRingError`, also when the directory holds a ring already.
    @discardableResult
    package static func generate(directory: String, now: Date = Date()) throws(KeyRingError) -> KeyRing {
        let index = "\(directory)/\(indexName)"
        guard !FileManager.default.fileExists(atPath: index) else {
            throw .invalid(file: index, reason: "there is a key ring already; it will not be overwritten")
        }
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .unreadable(file: directory, reason: "it cannot be created")
        }
        let keys = [
            newKey(.access, state: .active, file: "access-1.pem", now: now),
            newKey(.refresh, state: .active, file: "refresh-1.key", now: now),
        ]
        for key in keys { try write(key.text, to: "\(directory)/\(key.entry.file)", mode: 0o600) }
        let entries = keys.map(\.entry)
        let ring = try ring(of: entries, in: directory)
        try write(ring.jwks(at: now), to: "\(directory)/\(publicName)", mode: 0o644)
        try write(try indexText(entries, in: directory), to: index, mode: 0o600)
        return ring
    }

    private static func material(of entry: Entry, file: String) throws(KeyRingError) -> RingKey.Material {
        let text = String(decoding: try contents(of: file), as: UTF8.self)
        switch (entry.alg, entry.use) {
        case (.es256, .access):
            if let key = try? P256.Signing.PrivateKey(pemRepresentation: text) { return .es256(key) }
            if let key = try? P256.Signing.PublicKey(pemRepresentation: text) { return .es256Public(key) }
            throw .invalid(file: file, reason: "it is not the PEM of a P-256 key")
        case (.hs256, _):
            let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
            guard let bytes = Data(base64Encoded: trimmed), bytes.count >= 32 else {
                throw .invalid(file: file, reason: "it is not the base64 of at least 32 bytes")
            }
            return .hs256(SymmetricKey(data: bytes))
        case (.es256, .refresh):
            throw .invalid(file: file, reason: "refresh tokens need an HS256 key")
        }
    }

    private static func identifier() -> String {
        var generator = SystemRandomNumberGenerator()
        let text = String(generator.next() as UInt64, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
