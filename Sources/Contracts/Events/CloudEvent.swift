package import Foundation

/// A numbered, chained event as it travels: CloudEvents 1.0 in structured JSON (`application/cloudevents+json`).
///
/// `sequence` is the position in the source's gap-free stream, written with 19 digits so that it sorts as text (as the
/// CloudEvents extension demands); `prevhash` and `hash` are 64 hexadecimal digits. `data` is always the last member,
/// and its bytes are exactly those that were hashed: a third party takes them from after the first `,"data":` up to the
/// last `}` of the message.
package struct CloudEvent: Sendable, Hashable, Identifiable {
    /// The content type of its encoded form.
    package static let contentType = "application/cloudevents+json"

    package let event: DomainEvent
    /// Who published it: `/authms/identity`.
    package let source: String
    /// The position in the source's stream, from 1.
    package let position: Int64
    /// The hash of the event before it, 32 bytes; zeros before the first.
    package let previousHash: [UInt8]
    /// The hash of this link, 32 bytes.
    package let hash: [UInt8]

    package var id: UUID { event.id }

    package init(event: DomainEvent, source: String, position: Int64, previousHash: [UInt8], hash: [UInt8]) {
        self.event = event
        self.source = source
        self.position = position
        self.previousHash = previousHash
        self.hash = hash
    }

    /// The `sequence` attribute for a position.
    package static func sequence(_ position: Int64) -> String {
        let digits = String(position)
        return String(repeating: "0", count: max(0, 19 - digits.utf8.count)) + digits
    }
}

// MARK: - Encoding

extension CloudEvent {
    /// The message's bytes.
    package func encoded() -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(420 + event.type.rawValue.utf8.count + event.subject.utf8.count + event.data.utf8.count)
        func member(_ name: StaticString, _ value: String) {
            name.withUTF8Buffer { out.append(contentsOf: $0) }
            JSONString.append(value, to: &out)
        }
        member(#"{"specversion":"#, "1.0")
        member(#","id":"#, event.id.text)
        member(#","source":"#, source)
        member(#","type":"#, event.type.rawValue)
        member(#","subject":"#, event.subject)
        member(#","time":"#, event.time.text)
        member(#","tenantid":"#, event.tenantID.text)
        member(#","sequence":"#, Self.sequence(position))
        member(#","prevhash":"#, Hex.text(previousHash))
        member(#","hash":"#, Hex.text(hash))
        member(#","datacontenttype":"#, "application/json")
        out.append(contentsOf: #","data":"#.utf8)
        out.append(contentsOf: event.data.utf8)
        out.append(UInt8(ascii: "}"))
        return out
    }
}

// MARK: - Decoding

/// Why bytes are no event of ours.
package struct CloudEventError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
}

extension CloudEvent {
    /// Reads what ``encoded()`` wrote.
    ///
    /// - Throws: ``CloudEventError`` naming the attribute that is missing or malformed.
    package init(decoding bytes: [UInt8]) throws(CloudEventError) {
        guard let data = EventData.find(in: bytes) else {
            throw CloudEventError(description: "the message is no CloudEvent whose last member is data, an object")
        }
        let attributes: Attributes
        do {
            // All of it in one go: data has to be JSON, too.
            attributes = try JSONDecoder().decode(Attributes.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw CloudEventError(description: "the event's attributes do not decode: \(Self.field(of: error))")
        } catch {
            throw CloudEventError(description: "the event's attributes do not decode")
        }
        guard attributes.specversion == "1.0" else { throw CloudEventError(description: "specversion is not 1.0") }
        guard let time = EventTime(attributes.time) else {
            throw CloudEventError(description: "time is not RFC 3339")
        }
        guard let position = Int64(attributes.sequence), position > 0 else {
            throw CloudEventError(description: "sequence is not a positive number")
        }
        guard let previous = Hex.bytes(attributes.prevhash, count: 32) else {
            throw CloudEventError(description: "prevhash is not 64 hexadecimal digits")
        }
        guard let hash = Hex.bytes(attributes.hash, count: 32) else {
            throw CloudEventError(description: "hash is not 64 hexadecimal digits")
        }
        guard let id = UUID(text: attributes.id) else { throw CloudEventError(description: "id is no UUID") }
        guard let tenantID = UUID(text: attributes.tenantid) else {
            throw CloudEventError(description: "tenantid is no UUID")
        }
        guard let json = String(validating: bytes[data], as: UTF8.self) else {
            throw CloudEventError(description: "data is not UTF-8")
        }
        let event = DomainEvent(
            id: id, type: EventType(rawValue: attributes.type), subject: attributes.subject, tenantID: tenantID,
            time: time, json: json)
        self.init(event: event, source: attributes.source, position: position, previousHash: previous, hash: hash)
    }

    private static func field(of error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "\(context.codingPath.last?.stringValue ?? "the message") is malformed"
        @unknown default: "the message is malformed"
        }
    }

    private struct Attributes: Decodable {
        let specversion: String
        let id: String
        let source: String
        let type: String
        let subject: String
        let time: String
        let tenantid: String
        let sequence: String
        let prevhash: String
        let hash: String
    }
}
