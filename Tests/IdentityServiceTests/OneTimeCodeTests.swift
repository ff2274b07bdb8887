import Foundation
import IdentityService
import MicroMiddleware
import Testing

@Suite("Codes that come by mail")
struct OneTimeCodeTests {
    let codes = OneTimeCodes(pepper: Secret(String(repeating: "p", count: 32)))

    @Test("are eight of 31 characters, so more than 20 bits, and another for each row, salt and purpose")
    func entropy() {
        let made = (0..<500).map { _ in codes.code(id: UUID(), salt: OneTimeCodes.salt(), purpose: .passwordReset) }
        #expect(Set(made).count == made.count)
        #expect(made.allSatisfy { $0.filter { $0 != "-" }.count == 8 })
        let used = Set(made.joined()).subtracting("-")
        #expect(used.isSubset(of: "ABCDEFGHJKMNPQRSTUVWXYZ23456789") && used.count >= 29)
        let (id, salt) = (UUID(), OneTimeCodes.salt())
        let purposes = CodePurpose.allCases.map { codes.code(id: id, salt: salt, purpose: $0) }
        #expect(Set(purposes).count == purposes.count && salt.count == 32)
    }

    @Test("are of no use without the pepper that they were made with")
    func pepper() {
        let (id, salt) = (UUID(), OneTimeCodes.salt())
        let code = codes.code(id: id, salt: salt, purpose: .passwordReset)
        let others = OneTimeCodes(pepper: Secret(String(repeating: "q", count: 32)))
        #expect(codes.matches(code, id: id, salt: salt, purpose: .passwordReset))
        #expect(!others.matches(code, id: id, salt: salt, purpose: .passwordReset))
    }

    @Test("reset a password for ten minutes at most")
    func lifetime() {
        #expect(CodePurpose.passwordReset.lifetime <= 600)
    }
}
