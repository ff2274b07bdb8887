import Foundation
import Recovery
import Testing

@Suite("The authenticator app of the drill's users")
struct AuthenticatorTests {
    /// The secret of RFC 6238, appendix B: "12345678901234567890".
    private static let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

    @Test(
        "The codes are those of RFC 6238, the last six digits of its eight",
        arguments: [
            (59.0, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"),
            (2_000_000_000, "279037"), (20_000_000_000, "353130"),
        ])
    func vectors(seconds: Double, code: String) throws {
        var app = try #require(Authenticator(user: "ada", base32: Self.secret))
        #expect(app.code(at: Date(timeIntervalSince1970: seconds)) == code)
    }

    @Test("No code is shown twice: the next one comes early, the one after it not before its time")
    func once() throws {
        var app = try #require(Authenticator(user: "ada", base32: Self.secret))
        // The step that begins at 1,111,111,110, seen from the one before it.
        #expect(app.code(at: Date(timeIntervalSince1970: 1_111_111_109)) == "081804")
        #expect(app.code(at: Date(timeIntervalSince1970: 1_111_111_109)) == "050471")
        #expect(app.code(at: Date(timeIntervalSince1970: 1_111_111_109)) == nil)
        #expect(app.code(at: Date(timeIntervalSince1970: 1_111_111_111)) != nil)
        #expect(app.code(at: Date(timeIntervalSince1970: 1_111_111_111)) == nil)
    }

    @Test("What is not base32 makes no app", arguments: ["", "1", "abc", "GEZDGNBVGY3TQOJ="])
    func nonsense(secret: String) {
        #expect(Authenticator(user: "ada", base32: secret) == nil)
    }
}
