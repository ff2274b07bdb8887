/// How a picture's stored rows and columns lie to whoever looks at it (Exif 2.32, tag 0x0112). A camera that is held upright
/// stores its sensor's rows as they are, and says here how to turn them.
package enum Orientation: UInt16, Sendable, Hashable, CaseIterable {
    /// As stored.
    case upright = 1
    case mirrored, turnedAround, flipped
    /// From here on rows become columns.
    case transposed, quarterTurn, transversed, threeQuarterTurn

    /// Whether width and height change places.
    package var swapsSides: Bool { rawValue >= Self.transposed.rawValue }

    /// The pixels as they are to be seen.
    /// - Parameters:
    ///   - pixels: three bytes each, row after row, as many as the sides say.
    ///   - width, height: as stored.
    package func applied(to pixels: [UInt8], width: Int, height: Int) -> [UInt8] {
        precondition(pixels.count == width * height * 3, "three bytes a pixel")
        guard self != .upright, width > 0, height > 0 else { return pixels }
        let (first, right, down) = path(width, height)
        let (columns, rows) = swapsSides ? (height, width) : (width, height)
        return [UInt8](unsafeUninitializedCapacity: pixels.count) { seen, count in
            var written = 0
            for row in 0..<rows {
                var source = (first + row * down) * 3
                for _ in 0..<columns {
                    seen[written] = pixels[source]
                    seen[written + 1] = pixels[source + 1]
                    seen[written + 2] = pixels[source + 2]
                    written += 3
                    source += right * 3
                }
            }
            count = written
        }
    }

    /// Where the first pixel that is seen is stored, and how far from it the next to the right and the next below are.
    private func path(_ width: Int, _ height: Int) -> (first: Int, right: Int, down: Int) {
        let (lastRow, last) = ((height - 1) * width, height * width - 1)
        return switch self {
        case .upright: (0, 1, width)
        case .mirrored: (width - 1, -1, width)
        case .turnedAround: (last, -1, -width)
        case .flipped: (lastRow, 1, -width)
        case .transposed: (0, width, 1)
        case .quarterTurn: (lastRow, -width, 1)
        case .transversed: (last, -width, -1)
        case .threeQuarterTurn: (width - 1, width, -1)
        }
    }
}

extension Orientation {
    /// What a JPEG says in its first Exif segment; upright where it says nothing that can be understood.
    ///
    /// Reads nothing outside of `content`, whatever lengths and offsets are in there.
    package init(jpeg content: [UInt8]) {
        self = Self.exif(in: content).flatMap(Self.read) ?? .upright
    }

    /// The TIFF structure of the first segment APP1 that has one (JEITA CP-3451, 4.7.2), looked for up to the first scan.
    private static func exif(in content: [UInt8]) -> TIFF? {
        let mark = Array("Exif\0\0".utf8)
        var position = 2
        while position + 4 <= content.count, content[position] == 0xFF {
            let marker = content[position + 1]
            switch marker {
            case 0xFF:
                // A marker may be preceded by any number of these.
                position += 1
            case 0x01, 0xD0...0xD7:
                position += 2
            case 0xD8...0xDA:
                return nil
            default:
                let length = Int(content[position + 2]) << 8 | Int(content[position + 3])
                guard length >= 2, position + 2 + length <= content.count else { return nil }
                let payload = content[(position + 4)..<(position + 2 + length)]
                if marker == 0xE1, payload.starts(with: mark) { return TIFF(payload.dropFirst(mark.count)) }
                position += 2 + length
            }
        }
        return nil
    }

    /// The tag in the first directory: one SHORT.
    private static func read(_ tiff: TIFF) -> Orientation? {
        guard let directory = tiff.long(at: 4).map(Int.init), let count = tiff.short(at: directory) else { return nil }
        for index in 0..<Int(count) {
            let entry = directory + 2 + index * 12
            guard let tag = tiff.short(at: entry) else { return nil }
            guard tag == 0x0112 else { continue }
            guard tiff.short(at: entry + 2) == 3, tiff.long(at: entry + 4) == 1 else { return nil }
            return tiff.short(at: entry + 8).flatMap(Orientation.init(rawValue:))
        }
        return nil
    }
}

/// Numbers of a TIFF structure, by offsets from its beginning; nil for what lies outside of it.
private struct TIFF {
    private let bytes: ArraySlice<UInt8>
    private let isLittleEndian: Bool

    /// - Returns: nil where the header is none.
    init?(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        if bytes.starts(with: [0x49, 0x49, 0x2A, 0x00]) {
            isLittleEndian = true
        } else if bytes.starts(with: [0x4D, 0x4D, 0x00, 0x2A]) {
            isLittleEndian = false
        } else {
            return nil
        }
    }

    func short(at offset: Int) -> UInt16? { number(at: offset, size: 2).map(UInt16.init) }

    func long(at offset: Int) -> UInt32? { number(at: offset, size: 4) }

    private func number(at offset: Int, size: Int) -> UInt32? {
        guard offset >= 0, offset <= bytes.count - size else { return nil }
        let start = bytes.startIndex + offset
        let read = bytes[start..<(start + size)]
        return isLittleEndian
            ? read.reversed().reduce(0) { $0 << 8 | UInt32($1) } : read.reduce(0) { $0 << 8 | UInt32($1) }
    }
}
