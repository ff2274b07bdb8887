import CImages

/// PNG by libpng's simplified interface, which needs no `setjmp`.
enum PNGCodec {
    static func reencode(_ content: [UInt8], limits: ImageLimits) throws(ImageError) -> CleanImage {
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        let pixels = try content.withUnsafeBufferPointer { (bytes) throws(ImageError) -> [UInt8] in
            // Until the pixels have been read the library reads from these bytes.
            guard png_image_begin_read_from_memory(&image, bytes.baseAddress, bytes.count) != 0 else {
                throw .unreadable
            }
            try limits.check(width: Int(image.width), height: Int(image.height))
            let hasAlpha = image.format & png_uint_32(PNG_FORMAT_FLAG_ALPHA) != 0
            // 8 bits a channel, RGB with or without alpha.
            image.format = png_uint_32(PNG_FORMAT_FLAG_COLOR) | (hasAlpha ? png_uint_32(PNG_FORMAT_FLAG_ALPHA) : 0)
            var pixels = [UInt8](repeating: 0, count: Int(image.width) * Int(image.height) * (hasAlpha ? 4 : 3))
            guard png_image_finish_read(&image, nil, &pixels, 0, nil) != 0 else { throw .unreadable }
            return pixels
        }
        return try write(pixels, like: image, limits: limits)
    }

    private static func write(
        _ pixels: [UInt8], like image: png_image, limits: ImageLimits
    ) throws(ImageError) -> CleanImage {
        var written = png_image()
        written.version = png_uint_32(PNG_IMAGE_VERSION)
        written.width = image.width
        written.height = image.height
        written.format = image.format
        defer { png_image_free(&written) }
        var size = png_alloc_size_t(limits.maximumBytes)
        var bytes = [UInt8](repeating: 0, count: limits.maximumBytes)
        // Where the memory does not suffice it fails, and says how much it would have been.
        guard png_image_write_to_memory(&written, &bytes, &size, 0, pixels, 0, nil) != 0 else {
            throw Int(size) > limits.maximumBytes ? ImageError.tooLarge : ImageError.unreadable
        }
        return CleanImage(
            format: .png, width: Int(image.width), height: Int(image.height), bytes: Array(bytes[..<Int(size)]))
    }
}
