import CQRCode

/// A text as a QR code (ISO/IEC 18004), drawn by libqrencode and written as PNG by libpng.
package struct QRCode: Sendable {
    /// Modules along a side.
    package let width: Int
    /// True where it is dark, row by row.
    package let modules: [Bool]

    /// No longer text is drawn.
    package static let maximumTextBytes = 1_024
    /// Light modules around it, which readers need.
    static let quietZone = 4

    /// With error correction level M, which survives 15 % of damage.
    ///
    /// - Returns: nil for an empty text and one that is too long.
    package init?(_ text: String) {
        guard (1...Self.maximumTextBytes).contains(text.utf8.count),
            let code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M)
        else { return nil }
        defer { QRcode_free(code) }
        let width = Int(code.pointee.width)
        guard let data = code.pointee.data, width > 0 else { return nil }
        self.width = width
        // The lowest bit is the module; the others say what part of the symbol it belongs to.
        modules = (0..<(width * width)).map { data[$0] & 1 == 1 }
    }

    /// The picture in grey, black on white.
    ///
    /// - Parameter scale: pixels along the side of a module, 1 to 32.
    package func png(scale: Int = 6) -> [UInt8]? {
        precondition((1...32).contains(scale), "a module has 1 to 32 pixels")
        let side = (width + 2 * Self.quietZone) * scale
        var pixels = [UInt8](repeating: 255, count: side * side)
        for row in 0..<width {
            for column in 0..<width where modules[row * width + column] {
                for line in 0..<scale {
                    let start = ((row + Self.quietZone) * scale + line) * side + (column + Self.quietZone) * scale
                    for index in start..<(start + scale) { pixels[index] = 0 }
                }
            }
        }
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        image.width = UInt32(side)
        image.height = UInt32(side)
        image.format = 0  // PNG_FORMAT_GRAY
        var size = side * side + side + 4_096
        var bytes = [UInt8](repeating: 0, count: size)
        let written = png_image_write_to_memory(&image, &bytes, &size, 0, pixels, Int32(side), nil)
        png_image_free(&image)
        guard written != 0, size <= bytes.count else { return nil }
        return Array(bytes.prefix(size))
    }
}
