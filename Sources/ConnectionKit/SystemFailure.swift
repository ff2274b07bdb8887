#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A system call that failed, with its `errno`.
public struct SystemFailure: Error, Equatable, CustomStringConvertible {
    /// The name of the call, `poll` for example.
    public let call: String
    /// The value of `errno`.
    public let code: CInt

    public init(call: String, code: CInt) {
        self.call = call
        self.code = code
    }

    public var description: String {
        "\(call): \(String(cString: strerror(code))) (errno \(code))"
    }
}
