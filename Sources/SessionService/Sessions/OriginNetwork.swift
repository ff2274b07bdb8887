/// Where somebody is, as far as they need to recognise it: the network that an address is in.
package enum OriginNetwork {
    /// `203.0.113.0/24` for 203.0.113.77, `2001:db8:7::/48` for an address of IPv6; nil for what is no address.
    package static func of(_ address: String?) -> String? {
        guard let address, address.utf8.count <= 45 else { return nil }
        return address.contains(":") ? version6(address) : version4(address)
    }

    private static func version4(_ address: String) -> String? {
        let parts = address.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts.allSatisfy({ UInt8($0) != nil }) else { return nil }
        return parts[..<3].joined(separator: ".") + ".0/24"
    }

    private static func version6(_ address: String) -> String? {
        // An address of IPv4 in the form of IPv6 (RFC 4291, section 2.5.5.2).
        if let mapped = address.lowercased().split(separator: "::ffff:").last, mapped.contains(".") {
            return version4(String(mapped))
        }
        let halves = address.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
        let head = halves[0].split(separator: ":").map { UInt16($0, radix: 16) }
        let tail = halves.count > 1 ? halves[1].split(separator: ":").map { UInt16($0, radix: 16) } : []
        guard head.count + tail.count <= 8, halves.count == 2 || head.count == 8, !head.contains(nil),
            !tail.contains(nil)
        else { return nil }
        let zeros = [UInt16?](repeating: 0, count: 8 - head.count - tail.count)
        let groups = (head + zeros + tail).prefix(3).compactMap { $0 }.map { String($0, radix: 16) }
        return groups.joined(separator: ":") + "::/48"
    }
}
