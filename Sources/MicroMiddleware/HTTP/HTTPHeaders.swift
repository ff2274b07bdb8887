package import HTTPTypes

// The headers of our own, by the names that the gateway and the services agree on. The names are literals in the
// grammar of RFC 9110, so that making one cannot fail.

extension HTTPField.Name {
    package static let requestID = known("x-request-id")
    /// The milliseconds that the caller still has.
    package static let requestDeadline = known("x-request-deadline-ms")
    package static let forwardedFor = known("x-forwarded-for")
    /// The tenant that a request without a token is about.
    package static let tenantID = known("x-tenant-id")
    /// `Bearer` and the credential of the calling service.
    package static let internalCredential = known("x-internal-authorization")

    /// On a 503: nothing was done for the request, nor will be; another service may be asked in this one's stead.
    package static let requestNotActedOn = known("x-request-not-acted-on")

    private static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a header name") }
        return name
    }
}
