import LocalStack
import TestSupport
import Testing

@Suite("A port offset")
struct PortOffsetTests {
    private func layout(_ home: String, offset: String? = nil) throws -> StackLayout {
        var environment = ["AUTHMS_HOME": home]
        environment["AUTHMS_PORT_OFFSET"] = offset
        return try StackLayout.find(environment: environment)
    }

    @Test("The offset of the last start holds where the variable is not set, and the variable is above it")
    func remembered() throws {
        let home = try TestDirectory.make("offset")
        #expect(try layout(home).portOffset == 0)
        let moved = try layout(home, offset: "1000")
        try Files.makeDirectory(moved.runDirectory)
        try PortOffset.record(in: moved)
        #expect(try layout(home).portOffset == 1_000)
        #expect(try layout(home, offset: "0").portOffset == 0)
        #expect(try layout(TestDirectory.make("offset")).portOffset == 0)
        for name in StackLayout.wiped { try Files.remove("\(home)/\(name)") }
        #expect(try layout(home).portOffset == 0)
    }

    @Test("Another offset than that of a running suite is refused with a sentence; of one that has stopped it is not")
    func contradiction() throws {
        let home = try TestDirectory.make("offset")
        let running = try layout(home, offset: "1000")
        let other = try layout(home, offset: "2000")
        do {
            let lock = try StackLock(running)
            try PortOffset.record(in: running)
            try PortOffset.requireThatOfRunningSuite(try layout(home))
            let error = #expect(throws: LocalStackError.self) { try PortOffset.requireThatOfRunningSuite(other) }
            #expect(error?.kind == .usage)
            #expect(error?.description.hasPrefix("AUTHMS_PORT_OFFSET is 2000, but") == true)
            #expect(error?.description.contains("started with 1000") == true)
            withExtendedLifetime(lock) {}
        }
        #expect(throws: Never.self) { try PortOffset.requireThatOfRunningSuite(other) }
    }

    @Test("What is no offset is refused", arguments: ["", "much", "60000"])
    func malformed(text: String) {
        let error = #expect(throws: LocalStackError.self) {
            try StackLayout.find(environment: ["AUTHMS_PORT_OFFSET": text])
        }
        #expect(error?.kind == .usage)
    }
}
