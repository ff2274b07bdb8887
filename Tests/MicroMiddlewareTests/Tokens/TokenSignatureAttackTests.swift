import Crypto
import Foundation
import MicroMiddleware
import Testing

@Suite("Attacks on the signature and the encoding of access tokens")
struct TokenSignatureAttackTests {
    let forge: TokenForge

    init() throws {
        forge = try TokenForge()
    }

    /// The order of P-256.
    static let order = Data([
        0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD,
        0xA7,
        0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ])

    @Test("Signatures of zeros, of the group's order and beyond, and of other lengths are refused")
    func degenerate() throws {
        let zero = Data(count: 32)
        let one = Data(count: 31) + [1]
        let most = Data(repeating: 0xFF, count: 32)
        let numbers = [zero, one, Self.order, most]
        for r in numbers {
            for s in numbers {
                #expect(forge.refusal(of: try forge.forge { _ in r + s }) == .badSignature)
            }
        }
        for count in [1, 31, 32, 63, 65, 70, 72, 96, 128, 1_024] {
            let token = try forge.forge {
                try forge.key.signature(for: $0).rawRepresentation.prefix(count) + Data(count: max(0, count - 64))
            }
            #expect(forge.refusal(of: token) == .badSignature, "\(count) bytes")
        }
    }

    @Test(
        "A good signature in another form is refused: DER, halves swapped, r or s shifted by the order, signed twice over"
    )
    func otherForms() throws {
        let forms: [(P256.Signing.ECDSASignature) -> Data] = [
            { $0.derRepresentation },
            { $0.rawRepresentation.suffix(32) + $0.rawRepresentation.prefix(32) },
            { $0.rawRepresentation + $0.rawRepresentation },
            { Data(count: 1) + $0.rawRepresentation },
            { Data($0.rawRepresentation.reversed()) },
        ]
        for form in forms {
            let token = try forge.forge { form(try forge.key.signature(for: $0)) }
            #expect(forge.refusal(of: token) == .badSignature)
        }
    }

    @Test("Each part has one spelling: padding, the other alphabet, white space and stray bits are refused")
    func spelling() throws {
        let parts = try forge.issue().split(separator: ".").map(String.init)
        #expect(parts[2].utf8.count == 86)
        for index in parts.indices {
            let part = parts[index]
            let spellings = [
                part + "=", part + "==", part + "\n", " " + part, part.replacing("A", with: "A\n", maxReplacements: 1),
                part + "A", String(part.dropLast()) + "+", String(part.dropLast()) + "/", String(part.dropLast()) + "é",
            ]
            for spelling in spellings where spelling != part {
                var changed = parts
                changed[index] = spelling
                #expect(
                    forge.refusal(of: changed.joined(separator: ".")) != nil, "part \(index): \(spelling.suffix(8))")
            }
        }
        // The last character of 64 bytes carries four bits that say nothing: all but one spelling are refused.
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let accepted = alphabet.filter {
            forge.refusal(of: "\(parts[0]).\(parts[1]).\(parts[2].dropLast())\($0)") == nil
        }
        #expect(accepted.map(String.init) == [String(parts[2].suffix(1))])
    }

    @Test("A character that Unicode holds equal to one of the token does not pass for it, cached or not")
    func canonicalEquivalence() throws {
        let forge = try TokenForge(cacheCapacity: 1_024)
        for _ in 0..<20 {
            let token = try forge.issue()
            guard token.contains("K") else { continue }
            #expect(forge.refusal(of: token) == nil)
            let kelvin = token.replacing("K", with: "\u{212A}")
            #expect(kelvin == token, "Swift holds them equal")
            #expect(forge.refusal(of: kelvin) != nil)
        }
    }

    @Test("A token made of two tokens' parts is refused, in every combination")
    func splicing() throws {
        let one = try forge.issue().split(separator: ".")
        let other = try forge.forge(header: #"{"kid":"k1","alg":"ES256","typ":"at+jwt"}"#).split(separator: ".")
        for mask in 1..<7 {
            let parts = (0..<3).map { mask >> $0 & 1 == 0 ? one[$0] : other[$0] }
            #expect(forge.refusal(of: parts.joined(separator: ".")) == .badSignature)
        }
        #expect(forge.refusal(of: (one + other).joined(separator: ".")) == .notCompact)
        #expect(forge.refusal(of: (one + ["", ""]).joined(separator: ".")) == .notCompact)
        #expect(forge.refusal(of: [one[0], "", one[2]].joined(separator: ".")) == .notCompact)
        #expect(forge.refusal(of: "..") == .notCompact)
        #expect(forge.refusal(of: "") == .notCompact)
    }

    @Test("Any single bit flipped anywhere in a token makes it refused")
    func bitFlips() throws {
        let token = Array(try forge.issue().utf8)
        var generator = SystemRandomNumberGenerator()
        for position in token.indices {
            var changed = token
            changed[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            let text = String(decoding: changed, as: UTF8.self)
            #expect(forge.refusal(of: text) != nil, "byte \(position): \(text)")
        }
    }

    @Test("Random mutations of a good token never verify as anything but the token itself, nor crash")
    func fuzz() throws {
        let forge = try TokenForge(cacheCapacity: 256)
        var generator = SplitMix64(seed: UInt64.random(in: .min ... .max))
        let seed = generator.state
        let tokens = try (0..<4).map { _ in Array(try forge.issue().utf8) }
        let bytes = Array("ABab09-_.=+/ {}[]\":,\\\u{0}\u{7F}é".utf8)
        for round in 0..<4_000 {
            let original = tokens[round % tokens.count]
            var changed = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !changed.isEmpty {
                let position = Int.random(in: 0..<changed.count, using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: changed[position] = bytes[Int.random(in: 0..<bytes.count, using: &generator)]
                case 1: changed.insert(bytes[Int.random(in: 0..<bytes.count, using: &generator)], at: position)
                case 2: changed.remove(at: position)
                case 3: changed.removeSubrange(position..<min(changed.count, position + 40))
                default:
                    let donor = tokens[Int.random(in: 0..<tokens.count, using: &generator)]
                    changed.replaceSubrange(position..., with: donor[min(position, donor.count)...])
                }
            }
            let isOriginal = tokens.contains(changed)
            let text = String(decoding: changed, as: UTF8.self)
            #expect((forge.refusal(of: text) == nil) == isOriginal, "seed \(seed), round \(round): \(text)")
        }
    }

    @Test("Random claims under a good signature are accepted or refused, and never trap the reader")
    func fuzzSignedClaims() throws {
        var generator = SplitMix64(seed: UInt64.random(in: .min ... .max))
        let seed = generator.state
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u00", "\\ud83d\\ude00", "null", "true", "-", "0", "1e9", "1.5",
            "9223372036854775807", "9223372036854775808", "iss", "exp", "é", "\u{0}", "roles", " ",
        ]
        for round in 0..<1_500 {
            var text = Array(forge.claims().unicodeScalars.map(String.init))
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let position = Int.random(in: 0..<text.count, using: &generator)
                text[position] = pieces[Int.random(in: 0..<pieces.count, using: &generator)]
            }
            let claims = text.joined()
            let isAccepted = forge.refusal(of: try forge.forge(claims: claims)) == nil
            // What we accept, Foundation must read too.
            if isAccepted {
                #expect(
                    (try? JSONSerialization.jsonObject(with: Data(claims.utf8))) is [String: Any],
                    "seed \(seed), round \(round): \(claims)")
            }
        }
    }
}

/// A generator that can be run again from the seed that a failure prints.
struct SplitMix64: RandomNumberGenerator {
    private(set) var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
