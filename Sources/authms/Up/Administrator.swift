import Foundation
import LocalStack

/// The first administrator: made at the first start, with a password that must be changed at the first login.
struct Administrator {
    let email: String
    let password: String

    private static func file(_ layout: StackLayout) -> String { "\(layout.secretsDirectory)/administrator" }

    /// Whom an earlier start made; the password is the first one, which the administrator has changed since or should.
    static func recorded(in layout: StackLayout) -> Administrator? {
        let lines = (Files.read(file(layout)) ?? "").split(separator: "\n").map(String.init)
        return lines.count == 2 ? Administrator(email: lines[0], password: lines[1]) : nil
    }

    func record(in layout: StackLayout) throws {
        try Files.write("\(email)\n\(password)\n", to: Self.file(layout))
    }
}
