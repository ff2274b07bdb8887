package import Foundation

/// The tenant that exists from the first migration on, and that a request without `tenant_id` means.
package enum DefaultTenant {
    package static let id = UUID(uuid: (0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x01))
    package static let slug = "default"
}
