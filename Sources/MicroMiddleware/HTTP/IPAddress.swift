internal import Foundation
internal import NIOCore

/// An IPv4 or IPv6 address; an IPv4 address in IPv6 clothes (RFC 4291, section 2.5.5.2) is the former.
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address in IPv6 clothes, whichever it is, so that both spellings of one are equal.
    fileprivate let bits: UInt128

    fileprivate var isIPv4: Bool { bits >> 32 == 0xFFFF }

    /// Reads the text of an address and nothing else: neither a port nor a zone, nor a number in another base.
    package init?(_ text: some StringProtocol) {
        // What is longer than any address is not copied to be looked at.
        guard text.utf8.count < Int(INET6_ADDRSTRLEN) else { return nil }
        let text = String(text)
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            bits = 0xFFFF << 32 | UInt128(UInt32(bigEndian: four.s_addr))
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        bits = withUnsafeBytes(of: six) { $0.reduce(0) { $0 << 8 | UInt128($1) } }
    }

    /// What one subscriber has: the whole of an IPv4 address, the /64 of an IPv6 one. In hexadecimal.
    package var network: String {
        isIPv4
            ? Self.hexadecimal(bits & 0xFFFF_FFFF, digits: 8)
            : Self.hexadecimal(bits >> 64, digits: 16)
    }

    /// The one spelling that the address has (RFC 5952), so that nobody is counted twice.
    package var description: String {
        var bytes = ByteBuffer()
        if isIPv4 {
            bytes.writeInteger(UInt32(truncatingIfNeeded: bits))
        } else {
            bytes.writeInteger(UInt64(truncatingIfNeeded: bits >> 64))
            bytes.writeInteger(UInt64(truncatingIfNeeded: bits))
        }
        // Four bytes are an address, and sixteen are.
        return (try? SocketAddress(packedIPAddress: bytes, port: 0))?.ipAddress ?? network
    }

    private static func hexadecimal(_ value: UInt128, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: digits - text.count) + text
    }
}

/// A range of addresses in CIDR notation: `10.0.0.0/8`, `fd00::/8`, or one address.
package struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    private let base: IPAddress
    /// How many of the 128 bits count.
    private let prefix: Int
    private let text: String

    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let base = parts.first.flatMap({ IPAddress($0) }) else { return nil }
        let width = base.isIPv4 ? 32 : 128
        guard let bits = parts.count == 2 ? Int(parts[1]) : width, (0...width).contains(bits) else { return nil }
        self.base = base
        self.prefix = 128 - width + bits
        self.text = String(text)
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.isIPv4 == base.isIPv4 && (address.bits ^ base.bits) >> (128 - prefix) == 0
    }

    /// As it was written.
    package var description: String { text }
}

extension ConfigurationKey<[AddressRange]> {
    /// Addresses and ranges of them, separated by commas.
    package static func addressRanges(
        _ name: String, default defaultValue: [String], _ meaning: String
    ) -> ConfigurationKey<[AddressRange]> {
        ConfigurationKey(
            name, type: "addresses or CIDR ranges separated by commas",
            default: defaultValue.compactMap { AddressRange($0) }, meaning,
            render: { $0.map(\.description).joined(separator: ",") },
            parse: { text in
                let parts = text.split(separator: ",").map { trimmed($0) }
                let ranges = parts.compactMap { AddressRange($0) }
                return ranges.count == parts.count ? ranges : nil
            })
    }
}
