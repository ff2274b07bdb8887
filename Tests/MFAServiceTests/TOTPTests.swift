import Foundation
import MFAService
import MicroMiddleware
import QRCodes
import Testing

@Suite("One-time passwords")
struct TOTPTests {
    let totp = TOTP(secret: Secret(Array("12345678901234567890".utf8)))

    @Test(
        "are those of RFC 6238, appendix B",
        arguments: [
            (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"), (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"), (20_000_000_000, "65353130"),
        ])
    func vectors(seconds: Double, code: String) {
        let step = TOTP.step(at: Date(timeIntervalSince1970: seconds))
        #expect(totp.code(step: step, digits: 8) == code)
        #expect(totp.code(step: step) == code.suffix(6))
    }

    @Test("are taken one step early and one step late, and no further")
    func window() {
        let now = Date(timeIntervalSince1970: 1_234_567_890)
        let step = TOTP.step(at: now)
        for offset in Int64(-3)...3 {
            let found = totp.step(of: totp.code(step: step + offset), at: now)
            #expect(found == (abs(offset) <= 1 ? step + offset : nil))
        }
        #expect(totp.step(of: "005 924", at: now) == step, "as apps show it, with a blank")
        for wrong in ["", "005925", "00592", "0059240", "٠٠٥٩٢٤"] { #expect(totp.step(of: wrong, at: now) == nil) }
    }

    @Test("are set up by a URI that every app reads")
    func uri() {
        #expect(
            totp.uri(issuer: "My Shop", account: "ann@example.org")
                == "otpauth://totp/My%20Shop:ann%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                + "&issuer=My%20Shop&algorithm=SHA1&digits=6&period=30")
    }

    @Test("come with a picture, as PNG, of the URI")
    func picture() throws {
        let code = try #require(QRCode(totp.uri(issuer: "authms", account: "ann@example.org")))
        let png = try #require(code.png(scale: 2))
        #expect(Array(png.prefix(8)) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        // The finder pattern begins dark, whose inner ring is light.
        #expect(code.modules[0] && !code.modules[code.width + 1] && code.modules[2 * code.width + 2])
        #expect(QRCode("") == nil && QRCode(String(repeating: "x", count: 1_025)) == nil)
    }

    @Test("Secrets are random, and print as nothing")
    func secrets() {
        let (one, other) = (TOTP.makeSecret(), TOTP.makeSecret())
        #expect(one.reveal().count == 20 && !one.matches(other.reveal()))
        #expect("\(one)" == "•••")
    }
}
