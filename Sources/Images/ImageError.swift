/// Why a picture was not taken.
package enum ImageError: Error, Sendable, Equatable {
    /// Not PNG, JPEG or WebP, by its first bytes.
    case unknownFormat
    /// It says that it is one of them, and is broken, cut off or of a kind that is not taken: animated, CMYK.
    case unreadable
    /// More pixels in a row, in a column or in all than allowed.
    case tooManyPixels(width: Int, height: Int)
    /// Written anew it is too large.
    case tooLarge
    /// As many pictures wait as may.
    case overloaded
    /// The time that the caller had is over, before the work was begun.
    case deadlineExceeded
}
