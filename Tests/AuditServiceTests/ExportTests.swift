import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import TestSupport
import Testing

struct CSVTests {
    @Test(
        "What a spreadsheet would take for a formula is text",
        arguments: ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
    func formulas(text: String) {
        #expect(CSV.row(["a", text]) == "a,\"'\(text)\"\r\n")
    }

    @Test("Quotes, commas and line ends stay within their field, by RFC 4180")
    func quoting() {
        #expect(
            CSV.row(["a,b", "say \"no\"", "two\nlines", "", "plain"])
                == "\"a,b\",\"say \"\"no\"\"\",\"two\nlines\",,plain\r\n")
    }
}
