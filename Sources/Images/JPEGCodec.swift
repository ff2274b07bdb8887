import CImages

/// JPEG by libjpeg-turbo's own interface.
enum JPEGCodec {
    private static let quality: Int32 = 90

    static func reencode(_ content: [UInt8], limits: ImageLimits) throws(ImageError) -> CleanImage {
        guard let reader = tjInitDecompress() else { throw .overloaded }
        defer { tjDestroy(reader) }
        var (width, height, subsampling, colors): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
        guard
            tjDecompressHeader3(reader, content, UInt(content.count), &width, &height, &subsampling, &colors) == 0
        else { throw .unreadable }
        try limits.check(width: Int(width), height: Int(height))
        var pixels = [UInt8](repeating: 0, count: Int(width) * Int(height) * 3)
        // A progressive picture of thousands of scans takes minutes: so many are an error.
        let flags = Int32(TJFLAG_LIMITSCANS)
        guard
            tjDecompress2(
                reader, content, UInt(content.count), &pixels, width, 0, height, Int32(TJPF_RGB.rawValue), flags) == 0
        else { throw .unreadable }
        // With the metadata goes what says how to turn the picture: so it is turned.
        let orientation = Orientation(jpeg: content)
        pixels = orientation.applied(to: pixels, width: Int(width), height: Int(height))
        if orientation.swapsSides { swap(&width, &height) }
        return try write(pixels, width: width, height: height, limits: limits)
    }

    private static func write(
        _ pixels: [UInt8], width: Int32, height: Int32, limits: ImageLimits
    ) throws(ImageError) -> CleanImage {
        guard let writer = tjInitCompress() else { throw .overloaded }
        defer { tjDestroy(writer) }
        var bytes: UnsafeMutablePointer<UInt8>?
        var size: UInt = 0
        defer { tjFree(bytes) }
        guard
            tjCompress2(
                writer, pixels, width, 0, height, Int32(TJPF_RGB.rawValue), &bytes, &size,
                Int32(TJSAMP_420.rawValue), quality, 0) == 0, let bytes
        else { throw .unreadable }
        guard size <= limits.maximumBytes else { throw .tooLarge }
        return CleanImage(
            format: .jpeg, width: Int(width), height: Int(height),
            bytes: Array(UnsafeBufferPointer(start: bytes, count: Int(size))))
    }
}
