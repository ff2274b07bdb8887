internal import Contracts
internal import HTTPTypes
package import Hummingbird
internal import NIOCore

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// JSON as our contract has it: fields are named by the type's own `CodingKeys` (in snake case), dates are RFC 3339,
/// unknown fields are ignored, and everything else that is wrong is a 4xx that names the field.
///
/// There is no key strategy: `userID` and `user_id` cannot be derived from each other without guessing, and a guess
/// costs more than the decoding.
package struct StrictJSON: RequestDecoder, ResponseEncoder {
    /// Bodies may be so large.
    package static let maximumBytes = 1_048_576
    /// Arrays and objects may be nested so deep.
    package static let maximumDepth = 32

    package init() {}

    /// Decodes the body of a request.
    /// - Throws: ``APIError`` 400001, 413001, 415001 or 422001.
    package func decode<T: Decodable>(
        _ type: T.Type, from request: Request, context: some RequestContext
    ) async throws -> T {
        if let contentType = request.headers[.contentType], !Self.isJSON(contentType) {
            throw APIError(.unsupportedMediaType)
        }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > Self.maximumBytes {
            throw APIError(.bodyTooLarge, violations: [Violation(field: "body", message: "is larger than 1 MiB")])
        }
        do {
            let buffer = try await request.body.collect(upTo: Self.maximumBytes)
            return try Self.decode(type, from: Array(buffer.readableBytesView))
        } catch is NIOTooManyBytesError {
            throw APIError(.bodyTooLarge, violations: [Violation(field: "body", message: "is larger than 1 MiB")])
        }
    }

    /// Decodes bytes.
    /// - Throws: ``APIError`` 400001 or 422001.
    package static func decode<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) throws -> T {
        try JSONScan.check(bytes, maximumDepth: maximumDepth)
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            if JSONNumberDiagnosis.isUnexplained(error),
                let field = JSONNumberDiagnosis.field(in: bytes, decode: { failure(type, from: $0) })
            {
                throw APIError.invalid(field, "has a number that cannot be used here")
            }
            throw APIError(error)
        }
    }

    private static func failure<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) -> DecodingError? {
        do {
            _ = try decoder.decode(type, from: Data(bytes))
            return nil
        } catch {
            return error as? DecodingError
        }
    }

    package func encode(
        _ value: some Encodable, from request: Request, context: some RequestContext
    ) throws -> Response {
        let bytes = try Self.encode(value)
        return Response(
            status: .ok,
            headers: [.contentType: "application/json; charset=utf-8", .contentLength: String(bytes.count)],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Encodes a value; dates as RFC 3339 with milliseconds.
    package static func encode(_ value: some Encodable) throws -> Data {
        try encoder.encode(value)
    }

    private static func isJSON(_ contentType: String) -> Bool {
        let media = trimmed(contentType.prefix { $0 != ";" }).lowercased()
        return media == "application/json" || media.hasSuffix("+json")
    }

    // One of each for the process: they are configured here, once, and keep no state between uses.
    private static let decoder: JSONDecoder = {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            guard let date = Timestamp.parse(try container.decode(String.self)) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "must be an RFC 3339 time")
            }
            return date
        }
        return decoder
    }()

    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(Timestamp.render(date))
        }
        return encoder
    }()
}
