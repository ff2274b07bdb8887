package import MicroMiddleware

/// Whose word on who the client is the gateway takes: that of the balancers in front of it.
package struct TrustedProxies: Sendable {
    private let ranges: [AddressRange]

    package init(_ ranges: [AddressRange]) {
        self.ranges = ranges
    }

    /// Whether the other end of a connection is one of them.
    package func contains(peer: String) -> Bool {
        guard !ranges.isEmpty, let address = IPAddress(peer) else { return false }
        return contains(address)
    }

    private func contains(_ address: IPAddress) -> Bool {
        ranges.contains { $0.contains(address) }
    }

    /// The client's address in what a trusted peer says of it: the rightmost in `X-Forwarded-For` that is none of the
    /// trusted ones. What stands left of it the client may have written itself (RFC 7239 §8.1). Where every one is trusted
    /// the leftmost is the client.
    ///
    /// - Parameter forwardedFor: the fields of that name, in order, joined by commas.
    /// - Returns: nil when there is no such address, or something else stands where it should: then the peer is all that is
    ///   known.
    package func client(forwardedFor: String) -> String? {
        var leftmost: IPAddress?
        let elements = forwardedFor.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        for element in elements.reversed() {
            guard let address = IPAddress(Self.trimmed(element)) else { return nil }
            if !contains(address) { return address.description }
            leftmost = address
        }
        return leftmost?.description
    }

    private static func trimmed(_ text: Substring.UTF8View) -> Substring {
        var rest = text
        while let first = rest.first, first == 0x20 || first == 0x09 { rest.removeFirst() }
        while let last = rest.last, last == 0x20 || last == 0x09 { rest.removeLast() }
        return Substring(rest)
    }

    /// Whether the client spoke TLS to a trusted peer, by its `X-Forwarded-Proto`; nil when it says neither `https` nor
    /// `http`.
    package func isSecure(forwardedProto value: String) -> Bool? {
        if Ascii.equalIgnoringCase(value, "https") { return true }
        return Ascii.equalIgnoringCase(value, "http") ? false : nil
    }
}
