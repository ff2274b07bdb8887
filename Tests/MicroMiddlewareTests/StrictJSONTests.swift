import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MicroMiddleware
import Testing

@Suite("A request body")
struct StrictJSONTests {
    struct Bad: Sendable, CustomTestStringConvertible {
        let body: [UInt8]
        let code: ErrorCode
        let field: String

        init(_ body: String, _ code: ErrorCode, _ field: String) {
            self.init(Array(body.utf8), code, field)
        }

        init(_ body: [UInt8], _ code: ErrorCode, _ field: String) {
            self.body = body
            self.code = code
            self.field = field
        }

        var testDescription: String { String(decoding: body.prefix(60), as: UTF8.self) }
    }

    static let deep = String(repeating: "[", count: 33) + String(repeating: "]", count: 33)

    static let bad: [Bad] = [
        Bad("", .badRequest, "body"),
        Bad("   ", .badRequest, "body"),
        Bad("{", .badRequest, "body"),
        Bad("nope", .badRequest, "body"),
        Bad(#"{"cents":5"#, .badRequest, "body"),
        Bad(#"{"cents":5}}"#, .badRequest, "body"),
        Bad(#"{"cents":5} {"cents":6}"#, .badRequest, "body"),
        Bad(#"{"cents":05}"#, .badRequest, "body"),
        Bad(#"{"cents":NaN}"#, .badRequest, "body"),
        Bad("[]", .validationFailed, "body"),
        Bad("\"text\"", .validationFailed, "body"),
        Bad("null", .validationFailed, "body"),
        Bad("{}", .validationFailed, "cents"),
        Bad(#"{"cents":null}"#, .validationFailed, "cents"),
        Bad(#"{"cents":"5"}"#, .validationFailed, "cents"),
        Bad(#"{"cents":5.5}"#, .validationFailed, "cents"),
        Bad(#"{"cents":1e400}"#, .validationFailed, "cents"),
        Bad(#"{"cents":99999999999999999999}"#, .validationFailed, "cents"),
        Bad(#"{"cents":true}"#, .validationFailed, "cents"),
        Bad(#"{"cents":-1}"#, .validationFailed, "cents"),
        Bad(#"{"cents":5,"booked_at":"yesterday"}"#, .validationFailed, "booked_at"),
        Bad(#"{"cents":5,"booked_at":7}"#, .validationFailed, "booked_at"),
        Bad(#"{"cents":5,"origin":{}}"#, .validationFailed, "origin.bank_code"),
        Bad(#"{"cents":5,"origin":[]}"#, .validationFailed, "origin"),
        Bad(#"{"cents":5,"tags":["a",1]}"#, .validationFailed, "tags[1]"),
        Bad(#"{"cents":5,"tags":{}}"#, .validationFailed, "tags"),
        Bad(#"{"cents":5,"tags":["a\u0000b"]}"#, .badRequest, "tags"),
        Bad(#"{"cents":5,"tags":\#(deep)}"#, .badRequest, "tags"),
        Bad(#"{"cents":5,"ignored":\#(deep)}"#, .badRequest, "ignored"),
        Bad(Array(#"{"cents":5,"tags":[""#.utf8) + [0xC3, 0x28] + Array(#""]}"#.utf8), .badRequest, "body"),
        Bad([0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00], .badRequest, "body"),
    ]

    @Test(
        "What is malformed, of the wrong type, missing, too deep or not UTF-8 is a 4xx that names the field",
        arguments: bad)
    func refused(bad: Bad) async throws {
        let response = try await ServiceFixture().ask {
            try await $0.ask(.post, "/api/v1/wallets/deposits", token: "good", bytes: bad.body)
        }
        let failure = try response.failure
        #expect(failure.code == bad.code.value)
        #expect(response.status.code == bad.code.status)
        #expect(failure.violations?.first?.field == bad.field)
        #expect(!response.text.contains("Swift"))
    }

    @Test(
        "What is unusual but allowed is accepted",
        arguments: [
            #"{"cents":5}"#, " {\"cents\" : 5 , \"origin\":null}\n",
            #"{"cents":5,"cents_":"x","tags":["\\u0000","😀"]}"#,
            #"{"cents":5,"booked_at":"2026-11-22T22:03:11+01:00"}"#,
            #"{"cents":5,"booked_at":"2026-11-22T22:03:11.5Z"}"#,
            #"{"cents":5,"x":"\#(String(repeating: "[", count: 40))"}"#,
            #"{"cents":5,"x":\#(String(repeating: "[", count: 31))\#(String(repeating: "]", count: 31))}"#,
        ])
    func accepted(body: String) async throws {
        let response = try await ServiceFixture().ask {
            try await $0.ask(.post, "/api/v1/wallets/deposits", token: "good", body: body)
        }
        #expect(response.status == .created, "\(response.text)")
    }

    @Test("A body over 1 MiB is 413, whether or not its length is announced")
    func tooLarge() async throws {
        let body = #"{"cents":5,"x":""# + String(repeating: "a", count: StrictJSON.maximumBytes) + "\"}"
        let (announced, streamed) = try await ServiceFixture().ask { client in
            (
                try await client.ask(
                    .post, "/api/v1/wallets/deposits", token: "good", headers: [.contentLength: "\(body.utf8.count)"],
                    body: body),
                try await client.ask(.post, "/api/v1/wallets/deposits", token: "good", body: body)
            )
        }
        for response in [announced, streamed] {
            #expect(response.status == .contentTooLarge)
            #expect(try response.failure.code == ErrorCode.bodyTooLarge.value)
        }
    }

    @Test(
        "A body that says it is something else than JSON is 415",
        arguments: ["text/plain", "application/x-www-form-urlencoded"])
    func mediaType(type: String) async throws {
        let response = try await ServiceFixture().ask {
            try await $0.ask(
                .post, "/api/v1/wallets/deposits", token: "good", headers: [.contentType: type], body: #"{"cents":5}"#)
        }
        #expect(response.status == .unsupportedMediaType)
        #expect(try response.failure.code == ErrorCode.unsupportedMediaType.value)
    }
}
