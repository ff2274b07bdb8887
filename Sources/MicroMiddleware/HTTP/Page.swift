package import Hummingbird

/// The page of a list that a request asks for: `?page=2&page_size=50`.
package struct Page: Sendable, Hashable {
    /// A list's total is exact up to so many items behind the page that is asked for; then it says "at least"
    /// (`total_is_exact` is false). So it costs the same however long the list is.
    package static let countedAhead = 1_000

    /// From 1.
    package let number: Int
    /// From 1 to 200.
    package let size: Int

    /// How many items lie before the page.
    package var offset: Int { (number - 1) * size }
    /// Where counting the list ends: ``countedAhead`` behind the page.
    package var countBound: Int { offset + size + Self.countedAhead }

    package init(number: Int = 1, size: Int = 20) {
        self.number = max(1, number)
        self.size = min(max(1, size), 200)
    }

    /// - Throws: ``APIError`` 422001 naming the parameter.
    package init(_ request: Request) throws {
        let query = request.uri.queryParameters
        self.init(
            number: try Self.integer(query["page"], "page", in: 1...1_000_000) ?? 1,
            size: try Self.integer(query["page_size"], "page_size", in: 1...200) ?? 20)
    }

    private static func integer(_ text: Substring?, _ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw APIError.invalid(name, "must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}
