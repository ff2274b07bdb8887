import Crypto
import Foundation
import MicroMiddleware

/// The passwords that are tried first, from the list that ships with the product. Case does not matter.
///
/// The file is sorted five-byte prefixes of SHA-1: one password in 67 million that is not on the list is taken for one
/// that is.
package struct CommonPasswords: Sendable {
    private static let width = 5
    private let rows: Data

    /// - Throws: ``ConfigurationError`` when the file is missing or is no such list.
    package init(file: String) throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ConfigurationError.unreadable(file, reason: "there is no such file")
        }
        guard data.count.isMultiple(of: Self.width), !data.isEmpty else {
            throw ConfigurationError.unreadable(file, reason: "it is no list of five-byte prefixes")
        }
        rows = data
    }

    package func contains(_ password: String) -> Bool {
        let digest = Array(Insecure.SHA1.hash(data: Data(password.lowercased().utf8)).prefix(Self.width))
        var (low, high) = (0, rows.count / Self.width)
        while low < high {
            let middle = (low + high) / 2
            let row = rows[(middle * Self.width)..<((middle + 1) * Self.width)]
            if row.elementsEqual(digest) { return true }
            if row.lexicographicallyPrecedes(digest) { low = middle + 1 } else { high = middle }
        }
        return false
    }
}
