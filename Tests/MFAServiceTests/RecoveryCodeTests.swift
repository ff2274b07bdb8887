import Foundation
import MFAService
import Testing

@Suite("Recovery codes")
struct RecoveryCodeTests {
    @Test("have at least 112 random bits, which is what lets a plain hash keep them")
    func entropy() {
        let made = (0..<50).flatMap { _ in RecoveryCode.makeSet() }
        #expect(Set(made).count == 50 * RecoveryCode.count)
        let letters = made.map { $0.text.filter { $0 != "-" } }
        let alphabet = Set(letters.joined())
        #expect(alphabet.count == 32)
        #expect(letters.allSatisfy { $0.count * 5 >= 112 })
    }

    @Test("Those of before, of sixteen characters, hash as they did")
    func older() {
        let user = UUID()
        let old = RecoveryCode(text: "0123-4567-89ab-cdef")
        #expect(old.hash(for: user) == RecoveryCode(text: "O123 4567 89AB CDEF").hash(for: user))
        #expect(old.hash(for: user) != old.hash(for: UUID()) && old.hash(for: user).count == 32)
        #expect("\(old)" == "•••")
    }
}
