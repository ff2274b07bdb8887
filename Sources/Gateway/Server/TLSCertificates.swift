internal import Foundation
package import NIOSSL
internal import Synchronization

/// The server certificate in use: read from PEM files, and read again when they change. New connections get the new
/// one; a pair that cannot be used leaves the old one in force.
package final class TLSCertificates: Sendable {
    private struct State {
        var context: NIOSSLContext
        /// The bytes of both files.
        var files: [Data]
    }

    private let chainPath: String
    private let keyPath: String
    private let state: Mutex<State>

    /// - Throws: when a file cannot be read or the key does not fit the certificate.
    package init(chainPath: String, keyPath: String) throws {
        self.chainPath = chainPath
        self.keyPath = keyPath
        let files = try Self.read(chainPath, keyPath)
        state = Mutex(State(context: try Self.load(files), files: files))
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
        let files = try Self.read(chainPath, keyPath)
        guard state.withLock({ $0.files != files }) else { return false }
        // Noted first: a broken pair is reported once, not at every look.
        state.withLock { $0.files = files }
        let context = try Self.load(files)
        state.withLock { $0.context = context }
        return true
    }

    private static func read(_ paths: String...) throws -> [Data] {
        try paths.map { try Data(contentsOf: URL(filePath: $0)) }
    }

    private static func load(_ files: [Data]) throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(files[0])).map { NIOSSLCertificateSource.certificate($0) }
        let key = try NIOSSLPrivateKey(bytes: Array(files[1]), format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        return try NIOSSLContext(configuration: configuration)
    }
}
