package import HTTPTypes
package import Hummingbird

/// The body of a success: `{"code":0,"message":"…","data":{…},"timestamp":"…"}`. Return it from a handler.
package struct Envelope<Payload: Encodable & Sendable>: Sendable, ResponseGenerator {
    package let data: Payload
    package let message: String
    package let status: HTTPResponse.Status
    /// Whether the answer carries a token or a secret, so that no cache may keep it. On by default.
    package let isPrivate: Bool

    package init(
        _ data: Payload, message: String = "ok", status: HTTPResponse.Status = .ok, isPrivate: Bool = true
    ) {
        self.data = data
        self.message = message
        self.status = status
        self.isPrivate = isPrivate
    }

    package func response(from request: Request, context: some RequestContext) throws -> Response {
        var body = EnvelopeBody(message: message)
        JSONText.appendKey("data", to: &body.bytes)
        body.bytes.append(contentsOf: try StrictJSON.encode(data))
        return body.response(status: status, isPrivate: isPrivate)
    }
}

/// The body of a list: `{"code":0,"message":"…","items":[…],"total":n,"pagination":{…},"timestamp":"…"}`.
package struct ListEnvelope<Item: Encodable & Sendable>: Sendable, ResponseGenerator {
    package let items: [Item]
    /// How many there are in all, on every page; at least so many where ``totalIsExact`` is false.
    package let total: Int
    package let totalIsExact: Bool
    package let page: Page
    package let message: String

    /// - Parameter bound: where counting ended, if it had a bound: a total that has reached it may be more.
    package init(_ items: [Item], total: Int, countedUpTo bound: Int? = nil, page: Page, message: String = "ok") {
        self.items = items
        self.total = total
        totalIsExact = bound.map { total < $0 } ?? true
        self.page = page
        self.message = message
    }

    package func response(from request: Request, context: some RequestContext) throws -> Response {
        var body = EnvelopeBody(message: message)
        JSONText.appendKey("items", to: &body.bytes)
        body.bytes.append(contentsOf: try StrictJSON.encode(items))
        JSONText.append("total", total, to: &body.bytes)
        JSONText.appendKey("pagination", to: &body.bytes)
        body.bytes.append(UInt8(ascii: "{"))
        JSONText.append("page", page.number, to: &body.bytes)
        JSONText.append("page_size", page.size, to: &body.bytes)
        JSONText.append("total_pages", (total + page.size - 1) / page.size, to: &body.bytes)
        JSONText.append("total_is_exact", totalIsExact, to: &body.bytes)
        body.bytes.append(UInt8(ascii: "}"))
        return body.response(status: .ok, isPrivate: true)
    }
}

/// The frame that both envelopes share.
private struct EnvelopeBody {
    var bytes: [UInt8] = []

    init(message: String) {
        bytes.reserveCapacity(512)
        bytes.append(UInt8(ascii: "{"))
        JSONText.append("code", 0, to: &bytes)
        JSONText.append("message", message, to: &bytes)
    }

    consuming func response(status: HTTPResponse.Status, isPrivate: Bool) -> Response {
        JSONText.append("timestamp", Timestamp.now(), to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        var headers = HTTPFields()
        headers.reserveCapacity(6)
        headers[.contentType] = "application/json; charset=utf-8"
        headers[.contentLength] = String(bytes.count)
        if isPrivate { headers[.cacheControl] = "no-store" }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
