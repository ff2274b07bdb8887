import ConnectionKit
import Foundation
package import LocalStack

/// A certificate for `localhost` and 127.0.0.1 unless it is made for other names, and the authority that signed it, both made for this test by `openssl`.
package struct TestCertificate: Sendable {
    /// Where the files of one server lie.
    package struct Files: Sendable {
        package let authority: String
        package let certificate: String
        package let key: String
    }

    /// The authority's certificate, for clients to trust.
    package let authorityPath: String
    /// The certificate and its key, for a client that shows them.
    package var certificatePath: String { "\(directory)/server.crt" }
    package var keyPath: String { "\(directory)/server.key" }
    private let directory: String

    /// Makes an authority and a certificate, both with P-256 keys.
    ///
    /// - Parameter names: whom it is for, as OpenSSL's `subjectAltName` lists them.
    package static func make(names: String = "DNS:localhost,IP:127.0.0.1") async throws -> TestCertificate {
        let directory = try TestDirectory.make("certificate")
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try await openssl(
            ["req", "-x509", "-days", "2", "-subj", "/CN=authms test authority", "-keyout", "ca.key", "-out", "ca.crt"]
                + curve, in: directory)
        try await openssl(
            ["req", "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr"] + curve, in: directory)
        try "subjectAltName=\(names)\n".write(
            toFile: "\(directory)/names", atomically: true, encoding: .utf8)
        try await openssl(
            [
                "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "2", "-extfile", "names", "-out", "server.crt",
            ], in: directory)
        return TestCertificate(authorityPath: "\(directory)/ca.crt", directory: directory)
    }

    /// Copies the files to where a server may read them: a key's owner must be the server's account.
    package func install(in target: String, owner: SystemAccount?) throws -> Files {
        let files = Files(
            authority: "\(target)/ca.crt", certificate: "\(target)/server.crt", key: "\(target)/server.key")
        for name in ["ca.crt", "server.crt", "server.key"] {
            let text = try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
            try LocalStack.Files.write(
                text, to: "\(target)/\(name)", permissions: name.hasSuffix("key") ? 0o600 : 0o644)
            try owner?.own("\(target)/\(name)")
        }
        return files
    }

    private static func openssl(_ arguments: [String], in directory: String) async throws {
        let openssl = ProcessSpecification(
            name: "openssl", executable: try ProgramFinder.find("openssl", package: "openssl"), arguments: arguments,
            environment: ProgramFinder.baseEnvironment(home: directory), workingDirectory: directory, logFile: "")
        try await Command.succeed(openssl, deadline: .after(.seconds(30)))
    }
}
