import Foundation
import MicroMiddleware

/// The file in a form as browsers send it (RFC 7578): the content of the first part that is a file.
enum MultipartFile {
    private static let headerLimit = 4_096

    /// - Returns: nil when the body is no such form or has no file in it.
    static func content(of body: [UInt8], contentType: String) -> [UInt8]? {
        guard let boundary = boundary(contentType) else { return nil }
        let delimiter = Array("--\(boundary)".utf8)
        // Before every delimiter but the first is a line end, which belongs to the delimiter (RFC 2046, section 5.1.1).
        guard var position = body.firstRange(of: delimiter)?.upperBound else { return nil }
        while let end = body[position...].firstRange(of: Array("\r\n".utf8) + delimiter) {
            if let content = file(in: body[position..<end.lowerBound]) { return Array(content) }
            position = end.upperBound
        }
        return nil
    }

    /// The content of a part, if it has a file name.
    private static func file(in part: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let end = part.prefix(headerLimit).firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let headers = String(decoding: part[..<end.lowerBound], as: UTF8.self).lowercased()
        let isFile = headers.split(separator: "\r\n").contains {
            $0.hasPrefix("content-disposition:") && $0.contains("form-data") && $0.contains("filename")
        }
        return isFile ? part[end.upperBound...] : nil
    }

    /// 1 to 70 characters (RFC 2046, section 5.1.1).
    private static func boundary(_ contentType: String) -> String? {
        guard let match = contentType.firstMatch(of: /(?i)boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/) else {
            return nil
        }
        return (match.1 ?? match.2).map(String.init)
    }
}
