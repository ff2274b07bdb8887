import Contracts
import Crypto
import Foundation
import MicroMiddleware
import Testing

struct EventTests {
    static func event(_ data: String = #"{"actor_id":"a","b":{"x":[1,2]}}"#, subject: String = "s") -> DomainEvent {
        DomainEvent(
            id: .v7(), type: .userRegistered, subject: subject, tenantID: DefaultTenant.id,
            time: EventTime(milliseconds: 1_763_848_800_123), json: data)
    }

    static func linked(_ event: DomainEvent, at position: Int64 = 1, after: [UInt8] = StreamLink.genesis) -> CloudEvent
    {
        CloudEvent(
            event: event, source: "/authms/identity", position: position, previousHash: after,
            hash: StreamLink.hash(source: "/authms/identity", position: position, event: event, previous: after))
    }

    @Test("Identifiers of version 7 rise, also when the clock steps back")
    func identifiers() throws {
        let now = Date(timeIntervalSince1970: 4_000_000_000)
        let made = (0..<5_000).map { UUID.v7(now: now.addingTimeInterval($0 > 2_500 ? -60 : 0)) }
        let texts = made.map { $0.uuidString.lowercased() }
        #expect(texts == texts.sorted())
        #expect(Set(texts).count == texts.count)
        let first = try #require(texts.first)
        #expect(first.dropFirst(14).first == "7")
        let variant = try #require(first.dropFirst(19).first)
        #expect("89ab".contains(variant))
        #expect(first.hasPrefix(String(4_000_000_000_000 as Int64, radix: 16).leftPadded(12).inserting("-", at: 8)))
    }

    @Test(
        "A time reads back as it was written",
        arguments: [
            0, 1, -1, 951_782_399_999, 951_782_400_000, 1_763_848_800_123, 4_102_444_799_999, -2_208_988_800_000,
        ])
    func times(milliseconds: Int64) throws {
        let time = EventTime(milliseconds: milliseconds)
        #expect(EventTime(time.text) == time)
        #expect(EventTime(time.date) == time)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        #expect(EventTime(try Date(time.text, strategy: style)) == time)
    }

    @Test("A time with an offset is understood, and what is no time is not")
    func offsets() {
        #expect(EventTime("2026-11-22T23:30:00.5+01:30")?.text == "2026-11-22T22:00:00.500Z")
        #expect(EventTime("2024-02-29T00:00:00Z")?.text == "2024-02-29T00:00:00.000Z")
        for text in ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-22", "", "2026-11-22T22:00:00", "x"] {
            #expect(EventTime(text) == nil)
        }
    }

    @Test("An event reads back as it was published, whatever its texts hold")
    func roundTrip() throws {
        let event = Self.linked(
            Self.event(#"{"m":"quote \" and ,\"data\":{} \n é 🦄"}"#, subject: #"a","data":{"x":1}"#))
        let bytes = event.encoded()
        #expect(try CloudEvent(decoding: bytes) == event)
        let object = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        #expect(object?["specversion"] as? String == "1.0")
        #expect(object?["sequence"] as? String == "0000000000000000001")
        #expect(object?["subject"] as? String == #"a","data":{"x":1}"#)
        #expect(object?["data"] is [String: Any])
    }

    @Test("A third party can recompute the hash from the message alone")
    func recomputation() throws {
        let event = Self.linked(Self.event(), at: 7, after: Array(SHA256.hash(data: Data("before".utf8))))
        let bytes = event.encoded()
        let text = String(decoding: bytes, as: UTF8.self)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        let mark = try #require(text.range(of: #","data":"#))
        let data = text[mark.upperBound...].dropLast()
        var message = Data()
        func add(_ field: Data) {
            withUnsafeBytes(of: UInt32(field.count).bigEndian) { message.append(contentsOf: $0) }
            message.append(field)
        }
        add(Data("authms.stream.v1".utf8))
        for name in ["source", "sequence", "id", "type", "subject", "time", "tenantid"] {
            add(Data(try #require(object[name] as? String).utf8))
        }
        add(Data(SHA256.hash(data: Data(data.utf8))))
        let previous = try #require(object["prevhash"] as? String)
        add(Data(try #require(Hex.bytes(previous, count: 32))))
        #expect(Hex.text(Array(SHA256.hash(data: message))) == object["hash"] as? String)
    }

    @Test("A change to any part of an event breaks its link")
    func tampering() throws {
        let event = Self.linked(Self.event())
        #expect(StreamLink.isIntact(event))
        let text = String(decoding: event.encoded(), as: UTF8.self)
        for (old, new) in [
            ("identity.user.registered", "identity.user.deleted"), (#""actor_id":"a""#, #""actor_id":"b""#),
            (#""subject":"s""#, #""subject":"t""#), (".123Z", ".124Z"), ("0000000000000000001", "0000000000000000002"),
            ("01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002"),
            ("/authms/identity", "/authms/session"),
        ] {
            let changed = text.replacingOccurrences(of: old, with: new)
            #expect(changed != text)
            #expect(StreamLink.isIntact(try CloudEvent(decoding: Array(changed.utf8))) == false, "\(old)")
        }
    }

    @Test(
        "What is no event of ours is refused with a reason",
        arguments: [
            "", "{}", "null", "rubbish", #"{"specversion":"1.0","data":{}}"#, #"{"specversion":"1.0","data":[]}"#,
            #"{"specversion":"2.0","id":"00000000-0000-7000-8000-000000000001","data":{}}"#,
        ])
    func rubbish(text: String) {
        #expect(throws: CloudEventError.self) { try CloudEvent(decoding: Array(text.utf8)) }
    }

    @Test("Members smuggled in after the data are refused")
    func smuggling() throws {
        var bytes = Self.linked(Self.event()).encoded()
        bytes.removeLast()
        bytes += Array(#","hash":"00"}"#.utf8)
        #expect(throws: CloudEventError.self) { try CloudEvent(decoding: bytes) }
    }

    @Test("Data is the message's own last member, whatever its other members look like")
    func nested() throws {
        let event = Self.linked(Self.event())
        let text = String(decoding: event.encoded(), as: UTF8.self)
        for odd in [
            // An extension attribute of a third party, with something inside that looks like the data.
            #"{"x":{"a":1,"data":{"y":[1,{"z":"}"}]}},"#, #"{"x":",\"data\":{","#, #"{"x":["]",{"data":{}}],"#,
        ] {
            let changed = text.replacingOccurrences(of: #"{"specversion""#, with: odd + #""specversion""#)
            #expect(try CloudEvent(decoding: Array(changed.utf8)) == event, "\(odd)")
        }
        for wrong in [#","data":["#, #","data":"{"#, #","data":1,"x":{"#] {
            let changed = text.replacingOccurrences(of: #","data":{"#, with: wrong)
            #expect(throws: CloudEventError.self, "\(wrong)") { try CloudEvent(decoding: Array(changed.utf8)) }
        }
        let unclosed = text.replacingOccurrences(of: #","data":{"#, with: #","data":{"open":"#)
        #expect(throws: CloudEventError.self) { try CloudEvent(decoding: Array(unclosed.utf8)) }
    }

    @Test("An event's data is an object of bounded size, with sorted keys")
    func data() throws {
        let event = try DomainEvent(
            type: .loginFailed, subject: "s", tenantID: DefaultTenant.id,
            data: EventDetail(ip: "127.0.0.1", status: .failure, message: "a/b", details: ["z": "1", "a": "2"]))
        #expect(
            event.data
                == #"{"details":{"a":"2","z":"1"},"ip":"127.0.0.1","message":"a/b","status":"failure"}"#)
        #expect(throws: DomainEventError.dataIsNoObject) {
            try DomainEvent(type: .loginFailed, subject: "s", tenantID: DefaultTenant.id, data: ["a"])
        }
        #expect(throws: DomainEventError.dataTooLarge) {
            try DomainEvent(
                type: .loginFailed, subject: "s", tenantID: DefaultTenant.id,
                data: ["a": String(repeating: "x", count: 65_536)])
        }
    }
}

extension String {
    fileprivate func leftPadded(_ length: Int) -> String {
        String(repeating: "0", count: max(0, length - count)) + self
    }

    fileprivate func inserting(_ text: String, at offset: Int) -> String {
        String(prefix(offset)) + text + String(dropFirst(offset))
    }
}
