import IdentityService
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test(
        "An e-mail address is found however it is written",
        arguments: ["ann@example.org", " Ann@Example.ORG ", "ＡNN@example.org"])
    func emailKey(text: String) throws {
        #expect(try Identifier.email(text).key == "ann@example.org")
        #expect(Identifier.guess(text).key == "ann@example.org")
    }

    @Test(
        "What cannot be an e-mail address is refused by name",
        arguments: [
            "", "ann", "@example.org", "ann@", "ann@localhost", "a b@example.org", "a@b@example.org", "a@-x.org",
        ])
    func badEmail(text: String) {
        #expect(throws: IdentityError.invalid("email", "must be an e-mail address like name@example.org")) {
            try Identifier.email(text)
        }
    }

    @Test("A phone number is its digits", arguments: ["+49 30 1234567", "0049-30-1234567", "+49 (30) 123.45.67"])
    func phoneKey(text: String) throws {
        #expect(try Identifier.phone(text).key == "+49301234567")
        #expect(Identifier.guess(text).kind == .phone)
    }

    @Test(
        "A username has a letter and no @, so no kind is taken for another", arguments: ["12345", "a@b", "ab", "a b c"])
    func badUsername(text: String) {
        #expect(throws: IdentityError.self) { try Identifier.username(text) }
    }

    @Test("Usernames are compared without case and composition")
    func usernameKey() throws {
        #expect(try Identifier.username("Zoë").key == Identifier.username("zoe\u{308}").key)
    }

    @Test("A password counts characters after composing them, from 8 to at least 128")
    func passwords() throws {
        let policy = PasswordPolicy()
        #expect(try policy.accept("e\u{301}2345678") == "é2345678")
        #expect(throws: IdentityError.self) { try policy.accept("e\u{301}234567") }
        #expect(try policy.accept(String(repeating: "x", count: 128)).count == 128)
        #expect(throws: IdentityError.self) { try policy.accept(String(repeating: "x", count: 257)) }
    }
}
