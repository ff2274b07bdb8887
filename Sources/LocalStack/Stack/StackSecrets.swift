import Foundation

/// The passwords and secrets of the private stack, made at the first start, each in a file that only its owner may read.
package struct StackSecrets: Sendable {
    private let values: [String: String]

    /// Those that every stack has, besides one password for each database role.
    private static let names = [
        "internal", "pepper", "mfa-encryption", "redis", "rabbitmq", "postgres", "database-audit-service",
    ]

    /// Reads the secrets, and makes those that are missing.
    package static func loadOrMake(in layout: StackLayout) throws(LocalStackError) -> StackSecrets {
        try Files.makeDirectory(layout.secretsDirectory)
        var values: [String: String] = [:]
        for name in names + ServiceRole.withDatabase.map({ "database-\($0.rawValue)" }) {
            let path = "\(layout.secretsDirectory)/\(name)"
            if let kept = Files.read(path)?.trimmingCharacters(in: .whitespacesAndNewlines), !kept.isEmpty {
                values[name] = kept
            } else {
                let made = random()
                try Files.write(made + "\n", to: path)
                values[name] = made
            }
        }
        return StackSecrets(values: values)
    }

    /// Reads the secrets of a stack that has been started before.
    package static func load(in layout: StackLayout) throws(LocalStackError) -> StackSecrets {
        guard Files.exists("\(layout.secretsDirectory)/internal") else {
            throw LocalStackError(.notRunning, "The private stack has never been started here: run `make up` first.")
        }
        return try loadOrMake(in: layout)
    }

    package subscript(_ name: String) -> String { values[name] ?? "" }

    /// 192 random bits from the kernel, in hexadecimal: safe in URLs, SQL and configuration files.
    package static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<3).map { _ in
            let word = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - word.count) + word
        }.joined()
    }
}
