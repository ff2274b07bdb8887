package import Foundation

/// `POST /api/v1/internal/trusted-devices/check`: whether a user has said of this device that it is theirs.
package struct TrustedDeviceQuestion: Codable, Sendable, Hashable {
    /// What a device's token begins with, before 64 hexadecimal digits.
    package static let prefix = "atd_"

    package var tenantID: UUID
    package var userID: UUID
    /// What the device was given when it was trusted.
    package var deviceToken: String

    package init(tenantID: UUID, userID: UUID, deviceToken: String) {
        self.tenantID = tenantID
        self.userID = userID
        self.deviceToken = deviceToken
    }

    /// Whether the token could be one at all.
    package var isWellFormed: Bool { deviceToken.hasPrefix(Self.prefix) && deviceToken.utf8.count == 68 }

    package enum CodingKeys: String, CodingKey {
        case tenantID = "tenant_id"
        case userID = "user_id"
        case deviceToken = "device_token"
    }
}

/// The answer.
package struct TrustedDeviceAnswer: Codable, Sendable, Hashable {
    package var trusted: Bool

    package init(trusted: Bool) {
        self.trusted = trusted
    }
}
