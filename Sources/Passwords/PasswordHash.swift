/// A stored password hash: the PHC string of Argon2id with the pepper's name as its `keyid`,
/// `$argon2id$v=19$m=19456,t=2,p=1,keyid=p1$SALT$HASH`.
///
/// `keyid` is a parameter of the PHC specification for Argon2; libsodium does not know it, so it is taken out before
/// libsodium reads the string.
struct PasswordHash {
    /// What libsodium reads and writes.
    let sodium: String
    let pepperID: String
    let parameters: Argon2idParameters

    /// - Throws: `.malformedHash` for another algorithm, version or form, or costs beyond the limits.
    init(stored: String) throws(PasswordHashingError) {
        let fields = stored.split(separator: "$", omittingEmptySubsequences: false)
        guard stored.utf8.count <= 256, fields.count == 6, fields[0].isEmpty, fields[1] == "argon2id",
            fields[2] == "v=19"
        else { throw .malformedHash }
        let settings = fields[3].split(separator: ",", omittingEmptySubsequences: false)
        guard settings.count == 4, let memory = Self.value(of: "m=", in: settings[0]).flatMap({ Int($0) }),
            let iterations = Self.value(of: "t=", in: settings[1]).flatMap({ Int($0) }), settings[2] == "p=1",
            let pepperID = Self.value(of: "keyid=", in: settings[3]), Pepper.isWellFormed(id: pepperID),
            (8...Argon2idParameters.maximumMemoryKiB).contains(memory),
            (1...Argon2idParameters.maximumIterations).contains(iterations)
        else { throw .malformedHash }
        parameters = Argon2idParameters(memoryKiB: memory, iterations: iterations)
        self.pepperID = String(pepperID)
        sodium = "$argon2id$v=19$m=\(memory),t=\(iterations),p=1$\(fields[4])$\(fields[5])"
    }

    /// The string to store for what libsodium wrote.
    static func stored(sodium: String, pepperID: String) throws(PasswordHashingError) -> String {
        var fields = sodium.split(separator: "$", omittingEmptySubsequences: false)
        guard fields.count == 6 else { throw .malformedHash }
        fields[3] += ",keyid=\(pepperID)"
        return fields.joined(separator: "$")
    }

    private static func value(of name: String, in setting: Substring) -> Substring? {
        setting.hasPrefix(name) ? setting.dropFirst(name.count) : nil
    }
}
