/// The formats that are read and written.
package enum ImageFormat: String, Sendable, Hashable, CaseIterable {
    case png, jpeg, webp

    /// By the first bytes, whatever a name or a header says: PNG's signature, JPEG's SOI and the start of a marker, RIFF's
    /// header with the form type WEBP.
    package init?(content: [UInt8]) {
        if content.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if content.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if content.count > 12, content.starts(with: Array("RIFF".utf8)),
            content[8..<12].elementsEqual("WEBP".utf8)
        {
            self = .webp
        } else {
            return nil
        }
    }

    package var contentType: String { "image/\(rawValue)" }
}

/// What a picture may be.
package struct ImageLimits: Sendable, Hashable {
    /// Pixels in a row, and in a column.
    package var maximumSide: Int
    /// Pixels in all: what decoding needs is four bytes of memory each.
    package var maximumPixels: Int
    /// Bytes of the picture as it is written anew.
    package var maximumBytes: Int

    package init(maximumSide: Int = 4_096, maximumPixels: Int = 8_388_608, maximumBytes: Int = 4_194_304) {
        self.maximumSide = maximumSide
        self.maximumPixels = maximumPixels
        self.maximumBytes = maximumBytes
    }

    func check(width: Int, height: Int) throws(ImageError) {
        guard width > 0, height > 0 else { throw .unreadable }
        guard width <= maximumSide, height <= maximumSide, width * height <= maximumPixels else {
            throw .tooManyPixels(width: width, height: height)
        }
    }
}

/// A picture that we have written: pixels and nothing else.
package struct CleanImage: Sendable, Equatable {
    package let format: ImageFormat
    package let width: Int
    package let height: Int
    package let bytes: [UInt8]

    package init(format: ImageFormat, width: Int, height: Int, bytes: [UInt8]) {
        self.format = format
        self.width = width
        self.height = height
        self.bytes = bytes
    }
}
