package import Contracts
internal import Crypto
internal import Foundation

/// The hash that ties an event to its place in its source's stream.
///
/// SHA-256 over ten fields, each preceded by its length in bytes as four bytes, big-endian:
///
/// 1. the text `authms.stream.v1`
/// 2. `source`, 3. `sequence`, 4. `id`, 5. `type`, 6. `subject`, 7. `time`, 8. `tenantid`: the texts as published
/// 9. the SHA-256 of the bytes of `data` as published (32 bytes)
/// 10. the hash of the event before it (32 bytes; zeros before the first)
///
/// So a third party can recompute it from the CloudEvent alone, and `data` can be erased later while its hash, and with it
/// the chain, stays. The attributes are covered as well as the data: a changed type or tenant breaks the link.
package enum StreamLink {
    package static let domain = "authms.stream.v1"
    /// What the first event names as the hash before it.
    package static let genesis = [UInt8](repeating: 0, count: 32)

    /// The hash of `event` at `position` of the stream of `source`, after the event with the hash `previous`.
    package static func hash(
        source: String, position: Int64, event: DomainEvent, previous: [UInt8]
    ) -> [UInt8] {
        var fields = FieldHash()
        fields.add(domain)
        fields.add(source)
        fields.add(CloudEvent.sequence(position))
        fields.add(event.id.text)
        fields.add(event.type.rawValue)
        fields.add(event.subject)
        fields.add(event.time.text)
        fields.add(event.tenantID.text)
        fields.add(sha256(event.data))
        fields.add(previous)
        return fields.finish()
    }

    /// Whether the event's hash is the one that its content gives.
    package static func isIntact(_ event: CloudEvent) -> Bool {
        hash(source: event.source, position: event.position, event: event.event, previous: event.previousHash)
            == event.hash
    }

    /// SHA-256 of the text's bytes.
    package static func sha256(_ text: String) -> [UInt8] {
        var text = text
        return text.withUTF8 { Array(SHA256.hash(data: UnsafeRawBufferPointer($0))) }
    }
}

/// SHA-256 over fields, each preceded by its length (four bytes, big-endian), so that no two lists of fields give the
/// same bytes.
package struct FieldHash {
    /// Gathered first: hashing a few hundred bytes at once costs half of hashing them field by field.
    private var bytes: [UInt8] = []

    package init() {
        bytes.reserveCapacity(768)
    }

    package mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    package mutating func add(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { add($0) }
    }

    package mutating func add(_ number: Int64) {
        withUnsafeBytes(of: number.bigEndian) { add($0) }
    }

    /// A text, or its absence, which is no text's bytes: the length `ff ff ff ff` and nothing.
    package mutating func add(optional text: String?) {
        if let text {
            add(text)
        } else {
            withUnsafeBytes(of: UInt32.max) { bytes += $0 }
        }
    }

    package mutating func add(_ field: UnsafeRawBufferPointer) {
        withUnsafeBytes(of: UInt32(field.count).bigEndian) { bytes += $0 }
        bytes += field
    }

    package consuming func finish() -> [UInt8] {
        Array(SHA256.hash(data: bytes))
    }

    /// Whether `hash` is the hash of the fields. Begins anew, in the same memory: for hundreds of thousands of lists.
    package mutating func isFinished(by hash: UnsafeRawBufferPointer) -> Bool {
        defer { bytes.removeAll(keepingCapacity: true) }
        return SHA256.hash(data: bytes).withUnsafeBytes { $0.elementsEqual(hash) }
    }

    /// Forgets the fields.
    package mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
    }
}
