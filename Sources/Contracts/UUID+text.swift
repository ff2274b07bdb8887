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
}
