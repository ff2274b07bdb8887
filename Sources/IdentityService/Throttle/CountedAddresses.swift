package import MicroMiddleware

/// Which clients' addresses things are counted by: all but those that many clients share behind a gateway of one's own.
package struct CountedAddresses: Sendable {
    private let trusted: [AddressRange]

    package init(trusted: [AddressRange]) {
        self.trusted = trusted
    }

    /// What one subscriber has of the address, as ``IPAddress/network``; `nil` for a trusted address, or none.
    package func network(of address: String?) -> String? {
        guard let parsed = address.flatMap({ IPAddress($0) }), !trusted.contains(where: { $0.contains(parsed) }) else {
            return nil
        }
        return parsed.network
    }
}
