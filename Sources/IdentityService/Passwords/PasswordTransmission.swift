import Crypto
import Contracts
package import Foundation

extension PasswordPolicy {
    /// A password as the store's hash is made of it.
    ///
    /// Where the tenant's transmission is `hash`, that is the hex SHA-256 of `password|tenant_id`, which the client sends
    /// so that this service never sees the password. A client that says it sends `plain` has the same computed here.
    package func presented(_ password: String, declared: String?, tenantID: UUID) -> String {
        let normalized = Self.normalized(password)
        guard transmission == "hash" else { return normalized }
        if declared == "plain" { return Self.digest(of: normalized, tenantID: tenantID) }
        return Self.lowercased(digest: normalized)
    }

    /// A new password as it is to be hashed, and whether anything but its form could be checked: of a digest neither
    /// the length nor whether it is a common one can be told.
    ///
    /// - Throws: ``IdentityError/invalid(_:)`` naming `field`.
    package func choose(
        _ password: String, declared: String?, tenantID: UUID, field: String
    ) throws(IdentityError) -> (presented: String, plain: String?) {
        guard transmission == "hash" else {
            guard declared != "hash" else {
                throw .invalid("password_transmission", "must be plain: the tenant takes passwords as they are")
            }
            let accepted = try accept(password, field: field)
            return (accepted, accepted)
        }
        if declared == "plain" {
            let accepted = try accept(password, field: field)
            return (Self.digest(of: accepted, tenantID: tenantID), accepted)
        }
        guard Hex.bytes(password, count: 32) != nil else {
            throw .invalid(field, "must be the SHA-256 of password|tenant_id in hexadecimal")
        }
        return (Self.lowercased(digest: password), nil)
    }

    /// Letters A to F alone have two cases in a digest. Other letters may get longer by losing theirs, and what is no digest
    /// must not become too long to compare.
    private static func lowercased(digest: String) -> String {
        String(decoding: digest.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    private static func digest(of password: String, tenantID: UUID) -> String {
        Hex.text(Array(SHA256.hash(data: Data("\(password)|\(tenantID.text)".utf8))))
    }
}
