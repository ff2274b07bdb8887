import MicroMiddleware
import Testing

@Suite("Addresses")
struct AddressTests {
    @Test(
        "A range holds its own and nothing else",
        arguments: [
            ("127.0.0.0/8", "127.9.9.9", true), ("127.0.0.0/8", "128.0.0.1", false), ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.0/23", "10.1.3.255", true), ("10.1.2.0/23", "10.1.4.0", false), ("::1", "::1", true),
            ("fd00::/8", "fdab::1", true), ("0.0.0.0/0", "1.2.3.4", true),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true), ("::/0", "2001:db8::1", true), ("::/0", "1.2.3.4", false),
            ("0.0.0.0/0", "::1", false),
        ])
    func ranges(range: String, address: String, isInside: Bool) throws {
        let address = try #require(IPAddress(address))
        #expect(AddressRange(range)?.contains(address) == isInside)
    }

    @Test("What is no address is none", arguments: ["", "1.2.3", "1.2.3.4/33", "a::/129", "localhost", "1.2.3.4/x"])
    func rubbish(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test("An address has one spelling")
    func spelling() {
        #expect(IPAddress("2001:DB8:0:0::1")?.description == "2001:db8::1")
        #expect(IPAddress("::ffff:192.0.2.7")?.description == "192.0.2.7")
        #expect(IPAddress("192.0.2.7") == IPAddress("::ffff:192.0.2.7"))
        for text in ["192.0.2.7:80", "[::1]", "fe80::1%eth0", "0x7f.1", "010.1.1.1", "1.2.3.4 "] {
            #expect(IPAddress(text) == nil, "\(text) is no address")
        }
    }

    @Test("One /64 of IPv6 is one subscriber")
    func subscriber() {
        #expect(IPAddress("2001:db8:1:2::1")?.network == IPAddress("2001:db8:1:2:ffff::9")?.network)
        #expect(IPAddress("2001:db8:1:2::1")?.network != IPAddress("2001:db8:1:3::1")?.network)
    }
}
