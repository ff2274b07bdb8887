import Contracts
import HTTPTypes
import Hummingbird

/// How a device shows that it is known: a cookie (RFC 6265), or the same token in a header of ours, for what is no browser.
enum DeviceCookie {
    static let name = "authms_device"
    private static let maximumBytes = 4_096

    static func read(_ request: Request) -> String? {
        let token = tokens(of: request).first { !$0.hasPrefix(TrustedDeviceQuestion.prefix) }
        if let token { return token }
        guard let cookies = request.headers[.cookie], cookies.utf8.count <= maximumBytes else { return nil }
        for pair in cookies.split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == name else { continue }
            return String(parts[1])
        }
        return nil
    }

    /// What a device was given that its user trusts (`POST /session/api/v1/trusted-devices`), in the same header.
    static func readTrusted(_ request: Request) -> String? {
        tokens(of: request).first { $0.hasPrefix(TrustedDeviceQuestion.prefix) }
    }

    /// A device may have both kinds, in two fields or in one with a comma (RFC 9110, section 5.3). Empty elements are passed
    /// over (section 5.6.1): a blank must not hide the cookie.
    private static func tokens(of request: Request) -> [String] {
        guard let name = HTTPField.Name("x-device-token") else { return [] }
        return request.headers[values: name].flatMap { $0.split(separator: ",") }.compactMap { token in
            let token = token.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
            return token.isEmpty ? nil : String(token)
        }
    }

    /// No script reads it and no other site's request carries it. `Secure` is kept to by browsers on localhost too.
    static func write(_ token: String, to response: inout Response) {
        let age = Int(DeviceToken.lifetime)
        response.headers[.setCookie] = "\(name)=\(token); Path=/; Max-Age=\(age); HttpOnly; Secure; SameSite=Lax"
    }
}
