import AsyncHTTPClient
import ConnectionKit
import Contracts
import Crypto
import Foundation
package import Logging
package import MicroMiddleware
import NIOCore
import NIOHTTP1

/// Knows passwords that nobody should choose.
package protocol PasswordScreening: Sendable {
    /// Whether the password is known to attackers. Never throws and takes a bounded time: who cannot be asked says no.
    func isKnown(_ password: String) async -> Bool
}

/// For tests of what is not about the choice of passwords.
package struct NoScreening: PasswordScreening {
    package init() {}
    package func isKnown(_ password: String) -> Bool { false }
}

/// The list that ships with the product, the words of this installation, and the range protocol of Have I Been Pwned for
/// those who host one: five letters of the SHA-1 leave the process, never a password nor its whole hash.
package struct PasswordScreen: PasswordScreening {
    /// How long the range server is waited for; after that the password passes.
    package static let patience = Duration.milliseconds(500)
    /// 16^5 ranges of all that is known: some 900 lines of 40 bytes each.
    private static let maximumBytes = 1_048_576

    private let common: CommonPasswords
    private let context: ContextWords
    /// `{url}/{first five hexadecimal digits of the SHA-1}`.
    private let rangeURL: String?
    private let unanswered: MetricCounter
    private let logger: Logger

    package init(
        common: CommonPasswords, context: ContextWords, rangeURL: String?, metrics: MetricsRegistry, logger: Logger
    ) {
        self.common = common
        self.context = context
        self.rangeURL = rangeURL
        self.logger = logger
        unanswered = metrics.counter(
            "authms_breach_range_unanswered_total",
            help: "Passwords that were accepted without the range server's word, because it did not answer.")
    }

    package func isKnown(_ password: String) async -> Bool {
        if common.contains(password) || context.fill(password) { return true }
        guard let rangeURL else { return false }
        let digest = Hex.text(Array(Insecure.SHA1.hash(data: Data(password.utf8)))).uppercased()
        do {
            // The client's own limit ends with the head of an answer; this one holds for its body, too.
            let suffixes = try await withDeadline(.after(Self.patience)) {
                try await Self.range(of: digest.prefix(5), at: rangeURL)
            }
            return suffixes.contains(digest.dropFirst(5))
        } catch {
            unanswered.increment()
            logger.warning("a password was not looked up in the range server", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// The suffixes of a range that have been seen at least once; padding has a count of 0.
    private static func range(of prefix: Substring, at url: String) async throws -> Set<Substring> {
        var request = HTTPClientRequest(url: "\(url)/\(prefix)")
        request.headers.add(name: "Add-Padding", value: "true")
        request.headers.add(name: "User-Agent", value: "authms")
        let response = try await HTTPClient.shared.execute(request, deadline: .distantFuture)
        guard response.status == .ok else { throw UnexpectedStatus(code: Int(response.status.code)) }
        let body = try await response.body.collect(upTo: maximumBytes)
        let lines = String(buffer: body).uppercased().split(whereSeparator: \.isNewline)
        return Set(
            lines.compactMap { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return parts.count == 2 && parts[1] != "0" ? parts[0] : nil
            })
    }

    private struct UnexpectedStatus: Error {
        let code: Int
    }
}

extension ConfigurationKey<String> {
    static let commonPasswords = string(
        "password.common_list", default: "configs/passwords/common.sha1-40", "The list of passwords to refuse.")
    static let breachRangeURL = string(
        "password.breach.range_url",
        """
        A server of the Have I Been Pwned range protocol, without the last slash: https://api.pwnedpasswords.com/range. \
        It is waited for half a second; without its answer a password passes.
        """)
}

extension ConfigurationKey<[String]> {
    static let contextWords = strings(
        "password.context_words", default: ["authms"],
        "Words that a password may not consist of: your company, products, domain. It needs five characters besides.")
}
