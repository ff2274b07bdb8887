import CImages

/// WebP by libwebp. Pictures that move are not taken.
enum WebPCodec {
    private static let quality: Float = 90

    static func reencode(_ content: [UInt8], limits: ImageLimits) throws(ImageError) -> CleanImage {
        var features = WebPBitstreamFeatures()
        guard WebPGetFeatures(content, content.count, &features) == VP8_STATUS_OK, features.has_animation == 0 else {
            throw .unreadable
        }
        try limits.check(width: Int(features.width), height: Int(features.height))
        var (width, height): (Int32, Int32) = (0, 0)
        let decoded =
            features.has_alpha != 0
            ? WebPDecodeRGBA(content, content.count, &width, &height)
            : WebPDecodeRGB(content, content.count, &width, &height)
        guard let decoded else { throw .unreadable }
        defer { WebPFree(decoded) }
        var written: UnsafeMutablePointer<UInt8>?
        let size =
            features.has_alpha != 0
            ? WebPEncodeRGBA(decoded, width, height, width * 4, quality, &written)
            : WebPEncodeRGB(decoded, width, height, width * 3, quality, &written)
        guard size > 0, let written else { throw .unreadable }
        defer { WebPFree(written) }
        guard size <= limits.maximumBytes else { throw .tooLarge }
        return CleanImage(
            format: .webp, width: Int(width), height: Int(height),
            bytes: Array(UnsafeBufferPointer(start: written, count: size)))
    }
}
