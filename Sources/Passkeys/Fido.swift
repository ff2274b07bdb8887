import CFido2
import Crypto

/// libfido2 as a whole.
enum Fido {
    /// Initialises the library, once, for all threads.
    static let isReady: Bool = {
        fido_init(0)
        return true
    }()
}

enum Digest {
    static func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}
