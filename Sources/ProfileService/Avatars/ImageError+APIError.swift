internal import Contracts
package import Images
package import MicroMiddleware

extension ImageError: APIErrorConvertible {
    package var apiError: APIError {
        switch self {
        case .unknownFormat: .invalid("file", "must be a PNG, JPEG or WebP picture")
        case .unreadable: .invalid("file", "is no picture that can be read, or one that moves")
        case .tooManyPixels(let width, let height):
            .invalid("file", "has \(width) × \(height) pixels: at most 4096 a side and 8,388,608 in all are taken")
        case .tooLarge: .invalid("file", "has more than 4 MiB when it is written anew")
        case .overloaded: APIError(.overloaded)
        case .deadlineExceeded: APIError(.deadlineExceeded)
        }
    }
}
