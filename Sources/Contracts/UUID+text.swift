package import Foundation

extension UUID {
    /// The identifier as it is written everywhere outside of Swift: in lower case (RFC 9562, section 4).
    package var text: String {
        withUnsafeBytes(of: uuid) { bytes in
            String(unsafeUninitializedCapacity: 36) { buffer in
                var index = 0
                for (position, byte) in bytes.enumerated() {
                    if position == 4 || position == 6 || position == 8 || position == 10 {
                        buffer[index] = UInt8(ascii: "-")
                        index += 1
                    }
                    buffer[index] = Hex.digit(byte >> 4)
                    buffer[index + 1] = Hex.digit(byte & 15)
                    index += 2
                }
                return index
            }
        }
    }

    /// Reads the 36 characters of ``text``, in either case.
    ///
    /// - Returns: nil for anything else.
    package init?(text: String) {
        var text = text
        let read = text.withUTF8 { digits -> uuid_t? in
            guard digits.count == 36 else { return nil }
            var value: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
            let isWhole = withUnsafeMutableBytes(of: &value) { bytes in
                var index = 0
                for position in bytes.indices {
                    if position == 4 || position == 6 || position == 8 || position == 10 {
                        guard digits[index] == UInt8(ascii: "-") else { return false }
                        index += 1
                    }
                    guard let high = Hex.value(digits[index]), let low = Hex.value(digits[index + 1]) else {
                        return false
                    }
                    bytes[position] = high << 4 | low
                    index += 2
                }
                return true
            }
            return isWhole ? value : nil
        }
        guard let read else { return nil }
        self.init(uuid: read)
    }
}
