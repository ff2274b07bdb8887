/// A secret that is mixed into every password and is not in the database: a stolen table alone cannot be guessed at.
package struct Pepper: Sendable {
    /// The name under which a stored hash refers to it: 1 to 32 characters of `a-z 0-9 -`.
    package let id: String
    let bytes: [UInt8]

    /// - Throws: `PasswordHashingError.invalidPepper` for fewer than 32 bytes, or a name of another form.
    package init(id: String, bytes: [UInt8]) throws(PasswordHashingError) {
        guard bytes.count >= 32 else {
            throw .invalidPepper(reason: "it has \(bytes.count) bytes and needs at least 32")
        }
        guard Self.isWellFormed(id: id) else {
            throw .invalidPepper(reason: "its name is not 1 to 32 characters of a-z 0-9 -")
        }
        self.id = id
        self.bytes = bytes
    }

    /// A pepper that is named by a fingerprint of its bytes, so that rotating it is a matter of configuration alone.
    ///
    /// - Throws: as ``init(id:bytes:)``.
    package init(bytes: [UInt8]) throws(PasswordHashingError) {
        try self.init(id: Sodium.fingerprint(of: bytes), bytes: bytes)
    }

    static func isWellFormed(id: some StringProtocol) -> Bool {
        (1...32).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
            }
    }
}

extension Pepper: CustomStringConvertible, CustomReflectable {
    package var description: String { "pepper \(id) •••" }
    package var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}

/// The pepper in force and those before it, under which hashes still stand until their users sign in again.
package struct PepperRing: Sendable {
    package let current: Pepper
    private let byID: [String: Pepper]

    /// - Parameter aliases: further names of peppers, for hashes that were stored under those.
    package init(current: Pepper, previous: [Pepper] = [], aliases: [String: Pepper] = [:]) {
        self.current = current
        let own = Dictionary((previous + [current]).map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
        byID = aliases.merging(own) { _, own in own }
    }

    /// Of secrets as they are configured. Hashes from before peppers had fingerprints name theirs `p1`: it is the oldest
    /// that is configured.
    ///
    /// - Throws: `PasswordHashingError.invalidPepper`.
    package init(current: [UInt8], previous: [UInt8]?) throws(PasswordHashingError) {
        let present = try Pepper(bytes: current)
        var before: Pepper?
        if let previous { before = try Pepper(bytes: previous) }
        self.init(current: present, previous: before.map { [$0] } ?? [], aliases: ["p1": before ?? present])
    }

    func pepper(_ id: String) -> Pepper? {
        byID[id]
    }
}
