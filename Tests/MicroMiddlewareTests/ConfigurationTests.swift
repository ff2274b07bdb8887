import Foundation
import MicroMiddleware
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    static let size = ConfigurationKey<Int>.int("pool.size", default: 8, in: 1...20, "How many there are.")
    static let names = ConfigurationKey<[String]>.strings("some.names", default: [], "Names.")
    static let wait = ConfigurationKey<Duration>.duration("some.wait", in: .zero ... .seconds(60), "A wait.")
    static let token = ConfigurationKey<Secret<String>>.secret("some.token", minimumBytes: 8, "A secret.")

    @Test("The command line goes before the environment, it before secrets, .env, the file and the default")
    func layers() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try directory.write("service/demo.yaml", "pool:\n  size: 5\nsome:\n  names:\n    - a\n    - b\n  wait: 250ms\n")
        try directory.write(".env", "POOL_SIZE=4\n")
        try directory.write("secrets/pool-size", "3")
        let secrets = ["SECRETS_DIRECTORY": directory.path + "/secrets"]

        func load(_ arguments: [String: String] = [:], _ environment: [String: String] = [:], dotenv: String = "none")
            async throws -> ServiceSettings
        {
            try await ServiceSettings.load(
                service: "demo", arguments: arguments, environment: environment, configDirectory: directory.path,
                environmentFile: directory.path + "/" + dotenv)
        }
        #expect(try await load(["pool.size": "1"], ["POOL_SIZE": "2"]).value(Self.size) == 1)
        #expect(try await load([:], ["POOL_SIZE": "2"].merging(secrets) { $1 }).value(Self.size) == 2)
        #expect(try await load([:], secrets, dotenv: ".env").value(Self.size) == 3)
        #expect(try await load(dotenv: ".env").value(Self.size) == 4)
        let file = try await load()
        #expect(try file.value(Self.size) == 5)
        #expect(try file.value(Self.names) == ["a", "b"])
        #expect(try file.value(Self.wait) == .milliseconds(250))
        #expect(try ServiceSettings.fixed().value(Self.size) == 8)
    }

    @Test(
        "A malformed value fails with a sentence that names key, value, source and what is expected; it never falls through",
        arguments: ["abc", "0", "21", "5.5", " 5", "0x5"])
    func malformed(value: String) async throws {
        let settings = try await ServiceSettings.load(
            service: "demo", environment: ["POOL_SIZE": value], configDirectory: "/nonexistent",
            environmentFile: "/nonexistent/.env")
        let error = try #require(throws: ConfigurationError.self) { try settings.value(Self.size) }
        #expect(error.subject == "pool.size")
        #expect(
            error.description
                == "pool.size is \"\(value)\" in the environment, but must be an integer from 1 to 20.")
    }

    @Test("A required key that nobody set is named with its environment variable and its meaning")
    func missing() throws {
        let error = try #require(throws: ConfigurationError.self) { try ServiceSettings.fixed().value(Self.wait) }
        #expect(error.description.contains("SOME_WAIT"))
        #expect(error.description.contains("A wait."))
        #expect(try ServiceSettings.fixed().valueIfPresent(Self.wait) == nil)
    }

    @Test("A bad secret is not shown in the sentence that refuses it", arguments: ["short", " padded-with-blanks "])
    func secret(value: String) throws {
        let settings = ServiceSettings.fixed(["some.token": value])
        let error = try #require(throws: ConfigurationError.self) { try settings.value(Self.token) }
        #expect(!error.description.contains(value.trimmingCharacters(in: .whitespaces)))
        #expect(error.description.contains("at least 8 bytes"))
    }

    @Test("A file that cannot be read fails the start and is named")
    func unreadable() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try directory.write("service/demo.yaml", "- a\n- list\n")
        let error = await #expect(throws: ConfigurationError.self) {
            try await ServiceSettings.load(
                service: "demo", environment: [:], configDirectory: directory.path,
                environmentFile: directory.path + "/.env")
        }
        #expect(error?.subject == directory.path + "/service/demo.yaml")
    }

    @Test("The names in a file are listed as they are written, and an unknown one is told what it resembles")
    func names() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try directory.write("service/demo.yaml", "# none\npool:\n  size: 5\nsome:\n  names: [a, b]\nwait: 5s\n")
        let settings = try await ServiceSettings.load(
            service: "demo", environment: [:], configDirectory: directory.path, environmentFile: "/nonexistent/.env")
        #expect(try settings.namesInFile().sorted() == ["pool.size", "some.names", "wait"])
        let known: Set = ["pool.size", "http.port", "log.level"]
        let near = ConfigurationError.unknown("pool.siez", source: "here", known: known)
        #expect(near.description.contains("pool.siez in here is no setting"))
        #expect(near.description.hasSuffix("Did you mean pool.size?"))
        #expect(!ConfigurationError.unknown("quite.other", source: "here", known: known).description.contains("mean"))
        #expect(try ServiceSettings.fixed().namesInFile().isEmpty)
    }

    @Test(
        "Durations are a whole number and a unit",
        arguments: [
            ("250ms", .milliseconds(250)), ("30s", .seconds(30)), ("5m", .seconds(300)), ("1h", .seconds(3_600)),
            ("30d", .seconds(30 * 86_400)), ("0s", .zero), ("", nil), ("5", nil), ("-5s", nil), ("5 s", nil),
            ("1.5s", nil), ("5w", nil), ("s", nil), ("99999999999999999999s", nil), ("9223372036854775807d", nil),
            ("٣s", nil),
        ] as [(String, Duration?)])
    func durations(text: String, duration: Duration?) {
        #expect(DurationText.parse(text) == duration)
        if let duration { #expect(DurationText.parse(DurationText.render(duration)) == duration) }
    }

    @Test("The reference is a table of every key, with what a cell must not hold escaped")
    func reference() {
        let own = ConfigurationKey<Int>.int("odd.key", in: 0...1, "One | two.")
        let text = ConfigurationCatalogue(services: [.init("Demo", [own.summary])]).markdown
        for key in ConfigurationCatalogue.common {
            #expect(text.contains("| `\(key.name)` | `\(key.environmentName)` |"))
        }
        #expect(text.contains("| `odd.key` | `ODD_KEY` | an integer from 0 to 1 | none | One \\| two. |"))
        #expect(Set(ConfigurationCatalogue.common.map(\.name)).count == ConfigurationCatalogue.common.count)
    }

    @Test("A secret prints as dots, however it is printed, and compares by its bytes")
    func secretPrinting() {
        struct Holder { let token = Secret("hunter2") }
        let secret = Secret("hunter2")
        for text in ["\(secret)", String(describing: secret), String(reflecting: secret), "\(Holder())", "\([secret])"]
        {
            #expect(!text.contains("hunter2"))
        }
        var dumped = ""
        dump(Holder(), to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(secret.reveal() == "hunter2")
        #expect(secret.matches("hunter2"))
        #expect(!secret.matches("hunter3"))
        #expect(!secret.matches("hunter22"))
    }
}

/// A directory of the test's own.
struct TemporaryDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "authms-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func write(_ name: String, _ text: String) throws {
        let url = URL(fileURLWithPath: path).appendingPathComponent(name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}
