internal import Glibc
package import NIOSSL
internal import Synchronization

/// The server certificate in use: read from PEM files, and read again when they change. New connections get the new
/// one; a pair that cannot be used leaves the old one in force.
package final class TLSCertificates: Sendable {
    private struct State {
        var context: NIOSSLContext
        var stamp: [Int]
    }

    private let chainPath: String
    private let keyPath: String
    private let state: Mutex<State>

    /// - Throws: when a file cannot be read or the key does not fit the certificate.
    package init(chainPath: String, keyPath: String) throws {
        self.chainPath = chainPath
        self.keyPath = keyPath
        let stamp = Self.stamp(of: [chainPath, keyPath])
        state = Mutex(State(context: try Self.load(chainPath, keyPath), stamp: stamp))
    }

    /// What a new connection is served with.
    package var current: NIOSSLContext {
        state.withLock { $0.context }
    }

    /// Reads the files again if they have changed since.
    ///
    /// - Returns: whether a new certificate is in force.
    /// - Throws: when the changed files cannot be used; they are tried again when they change once more.
    package func reloadIfChanged() throws -> Bool {
        let stamp = Self.stamp(of: [chainPath, keyPath])
        guard state.withLock({ $0.stamp != stamp }) else { return false }
        // Noted first: a broken pair is reported once, not at every look.
        state.withLock { $0.stamp = stamp }
        let context = try Self.load(chainPath, keyPath)
        state.withLock { $0.context = context }
        return true
    }

    private static func load(_ chainPath: String, _ keyPath: String) throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMFile(chainPath).map { NIOSSLCertificateSource.certificate($0) }
        let key = try NIOSSLPrivateKey(file: keyPath, format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        return try NIOSSLContext(configuration: configuration)
    }

    /// Inode, size and modification time of each file: what changes when a file is written or replaced.
    private static func stamp(of paths: [String]) -> [Int] {
        paths.flatMap { path -> [Int] in
            var status = stat()
            guard stat(path, &status) == 0 else { return [0] }
            return [Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
        }
    }
}
