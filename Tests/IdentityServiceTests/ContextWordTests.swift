import IdentityService
import Testing

@Suite("An installation's own words")
struct ContextWordTests {
    let words = ContextWords(["authms", "Acme", "acme-shop", "io"])

    @Test(
        "do not make a password, whatever is put around them",
        arguments: ["authms12", "AUTHMS!!!!", "Acme2026!", "acme-shop-acme", "--acme--1234", "authmsacme"])
    func refused(password: String) {
        #expect(words.fill(password))
    }

    @Test(
        "may be in a password that has enough of its own",
        arguments: ["the acme of perfection", "authms12345", "correct horse", "12345678", "ioioioio", ""])
    func accepted(password: String) {
        #expect(!words.fill(password))
    }

    @Test("that are none refuse nothing")
    func none() {
        #expect(!ContextWords([]).fill("authms12") && !ContextWords(["ab", ""]).fill("ab"))
    }
}
