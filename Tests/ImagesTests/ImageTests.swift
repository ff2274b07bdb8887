import ConnectionKit
import Foundation
import Images
import Testing

@Suite("Pictures written anew")
struct ImageTests {
    let workshop = ImageWorkshop()
    var soon: Deadline { .after(.seconds(20)) }

    @Test(
        "keep their format and size, and nothing that is not a pixel",
        arguments: [(ImageFormat.png, Sample.png), (.jpeg, Sample.jpeg), (.webp, Sample.webp)])
    func clean(format: ImageFormat, content: [UInt8]) async throws {
        let image = try await workshop.clean(content, deadline: soon)
        #expect(image.format == format && image.width == 3 && image.height == 2)
        #expect(ImageFormat(content: image.bytes) == format)
        #expect(!Data(image.bytes).contains("secret"))
        // What was written can be read again.
        let again = try await workshop.clean(image.bytes, deadline: soon)
        #expect(again.width == 3 && again.height == 2)
    }

    @Test("The samples do hold what must go")
    func samples() {
        #expect(Data(Sample.jpeg).contains("secret place") && Data(Sample.webp).contains("secret place"))
    }

    @Test(
        "What is none of the formats is refused by its first bytes",
        arguments: ["", "GIF89a……", "<svg/>", "%PDF-1.7", "RIFF0000WAVE"])
    func unknown(text: String) async {
        await #expect(throws: ImageError.unknownFormat) { try await workshop.clean(Array(text.utf8), deadline: soon) }
    }

    @Test("What is cut off or broken is refused", arguments: [Sample.png, Sample.jpeg, Sample.webp])
    func broken(content: [UInt8]) async {
        for count in [content.count / 2, 20] {
            await #expect(throws: ImageError.unreadable) {
                try await workshop.clean(Array(content.prefix(count)), deadline: soon)
            }
        }
    }

    @Test("A picture that moves is refused")
    func animated() async {
        await #expect(throws: ImageError.unreadable) { try await workshop.clean(Sample.animated, deadline: soon) }
    }

    @Test("A header that promises more pixels than allowed is refused before any memory is given to them")
    func bomb() async {
        var content = Sample.png
        // IHDR's width and height, and its checksum, which libpng checks first.
        content.replaceSubrange(
            16..<33, with: [0, 0, 0xC3, 0x50, 0, 0, 0xC3, 0x50, 8, 2, 0, 0, 0, 0x0F, 0x8A, 0xA4, 0x4A])
        let checksum = Self.crc32(content[12..<29])
        content.replaceSubrange(29..<33, with: (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (24 - 8 * $0)) })
        await #expect(throws: ImageError.tooManyPixels(width: 50_000, height: 50_000)) {
            try await workshop.clean(content, deadline: soon)
        }
        await #expect(throws: ImageError.tooManyPixels(width: 3, height: 2)) {
            try await workshop.clean(Sample.jpeg, limits: ImageLimits(maximumPixels: 5), deadline: soon)
        }
        await #expect(throws: ImageError.tooManyPixels(width: 3, height: 2)) {
            try await workshop.clean(Sample.webp, limits: ImageLimits(maximumSide: 2), deadline: soon)
        }
    }

    @Test("What becomes too large is refused", arguments: [Sample.png, Sample.jpeg, Sample.webp])
    func tooLarge(content: [UInt8]) async {
        await #expect(throws: ImageError.tooLarge) {
            try await workshop.clean(content, limits: ImageLimits(maximumBytes: 16), deadline: soon)
        }
    }

    @Test("A picture too many is refused at once, and the others are worked on")
    func bounded() async {
        let workshop = ImageWorkshop(threads: 1, queueLimit: 1)
        let results = await withTaskGroup(of: Bool.self) { tasks in
            for _ in 0..<200 {
                tasks.addTask { (try? await workshop.clean(Sample.png, deadline: .after(.seconds(20)))) != nil }
            }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
        #expect(results.contains(true))
        await #expect(throws: ImageError.deadlineExceeded) {
            try await workshop.clean(Sample.png, deadline: .after(.zero))
        }
    }

    /// PNG's checksum (ISO 3309).
    private static func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var checksum: UInt32 = ~0
        for byte in bytes {
            checksum ^= UInt32(byte)
            for _ in 0..<8 {
                let isOdd = checksum & 1 == 1
                checksum >>= 1
                if isOdd { checksum ^= 0xEDB8_8320 }
            }
        }
        return ~checksum
    }
}

extension Data {
    fileprivate func contains(_ text: String) -> Bool {
        range(of: Data(text.utf8)) != nil
    }
}
