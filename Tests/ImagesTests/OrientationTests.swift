import ConnectionKit
import Images
import Testing

@Suite("How a photograph lies")
struct OrientationTests {
    /// Six pixels in two rows, told apart by their first bytes:
    ///
    ///     1 2 3
    ///     4 5 6
    private static let stored: [UInt8] = [1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0, 5, 0, 0, 6, 0, 0]

    @Test(
        "is applied to its pixels",
        arguments: zip(
            Orientation.allCases,
            [
                [1, 2, 3, 4, 5, 6], [3, 2, 1, 6, 5, 4], [6, 5, 4, 3, 2, 1], [4, 5, 6, 1, 2, 3],
                // Three rows of two from here on.
                [1, 4, 2, 5, 3, 6], [4, 1, 5, 2, 6, 3], [6, 3, 5, 2, 4, 1], [3, 6, 2, 5, 1, 4],
            ] as [[UInt8]]))
    func applied(orientation: Orientation, expected: [UInt8]) {
        let seen = orientation.applied(to: Self.stored, width: 3, height: 2)
        #expect(stride(from: 0, to: seen.count, by: 3).map { seen[$0] } == expected)
        #expect(orientation.swapsSides == (orientation.rawValue > 4))
    }

    @Test("is read in both byte orders, and the picture is turned by it", arguments: Orientation.allCases)
    func written(orientation: Orientation) async throws {
        for isLittleEndian in [true, false] {
            let content = Self.photograph(orientation.rawValue, isLittleEndian: isLittleEndian)
            #expect(Orientation(jpeg: content) == orientation)
            let image = try await ImageWorkshop().clean(content, deadline: .after(.seconds(20)))
            #expect((image.width, image.height) == (orientation.swapsSides ? (2, 3) : (3, 2)))
            #expect(Orientation(jpeg: image.bytes) == .upright)
        }
    }

    @Test("is upright where it says nothing that can be understood", arguments: [UInt16(0), 9, 0xFFFF])
    func unknown(value: UInt16) async throws {
        #expect(Orientation(jpeg: Self.photograph(value)) == .upright)
        let image = try await ImageWorkshop().clean(Self.photograph(value), deadline: .after(.seconds(20)))
        #expect(image.width == 3 && image.height == 2)
        #expect(Orientation(jpeg: Sample.jpeg) == .upright && Orientation(jpeg: Sample.png) == .upright)
    }

    @Test("is looked for within the file, wherever it is cut off and whatever its lengths and offsets say")
    func broken() {
        let content = Self.photograph(6)
        for count in 0...content.count { _ = Orientation(jpeg: Array(content.prefix(count))) }
        // Every byte of the segment, and pairs of them, take the values at which arithmetic ends.
        let segment = 2..<(2 + Self.segment(6, isLittleEndian: true).count)
        for position in segment {
            for value: UInt8 in [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF] {
                var changed = content
                changed[position] = value
                _ = Orientation(jpeg: changed)
                changed[position + 1] = 0xFF
                _ = Orientation(jpeg: changed)
            }
        }
        var random = Seeded()
        for _ in 0..<20_000 {
            var changed = content
            for _ in 0...Int.random(in: 0..<6, using: &random) {
                changed[Int.random(in: segment, using: &random)] = .random(in: 0...255, using: &random)
            }
            _ = Orientation(jpeg: Array(changed.prefix(.random(in: 0...changed.count, using: &random))))
        }
        // It is the same reader that finds it in the whole file.
        #expect(Orientation(jpeg: content) == .quarterTurn)
    }

    // MARK: -

    /// The sample with a segment of its own before the others.
    private static func photograph(_ value: UInt16, isLittleEndian: Bool = true) -> [UInt8] {
        Array(Sample.jpeg.prefix(2)) + segment(value, isLittleEndian: isLittleEndian) + Sample.jpeg.dropFirst(2)
    }

    /// APP1 with two tags: the maker's name is none of ours.
    private static func segment(_ value: UInt16, isLittleEndian: Bool) -> [UInt8] {
        func number(_ value: UInt32, _ size: Int) -> [UInt8] {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
            return isLittleEndian ? bytes : bytes.reversed()
        }
        var tiff = Array((isLittleEndian ? "II" : "MM").utf8) + number(42, 2) + number(8, 4) + number(2, 2)
        tiff += number(0x010F, 2) + number(2, 2) + number(4, 4) + Array("abc\0".utf8)
        tiff += number(0x0112, 2) + number(3, 2) + number(1, 4) + number(UInt32(value), 2) + [0, 0]
        tiff += number(0, 4)
        let payload = Array("Exif\0\0".utf8) + tiff
        return [0xFF, 0xE1, 0, UInt8(payload.count + 2)] + payload
    }

    /// SplitMix64: the same bytes in every run.
    private struct Seeded: RandomNumberGenerator {
        private var state: UInt64 = 7

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
