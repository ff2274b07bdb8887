import CFido2

/// A public key's kind, by its number in COSE (RFC 9053).
package enum PasskeyAlgorithm: Int32, Sendable, Hashable, CaseIterable {
    case es256 = -7
    case eddsa = -8
    case rs256 = -257
}

/// A passkey that has been registered: what later signatures are checked with.
package struct PasskeyRegistration: Sendable, Hashable {
    package let credentialID: [UInt8]
    package let publicKey: [UInt8]
    package let algorithm: PasskeyAlgorithm
    package let signCount: UInt32
    /// 16 bytes: the model of authenticator, where it says.
    package let aaguid: [UInt8]
    package let attestationFormat: String
    package let flags: AuthenticatorFlags
}

extension RelyingParty {
    /// Checks what `navigator.credentials.create` gave (section 7.1). Attestation of the formats `none`, `packed` and
    /// `fido-u2f` must hold; whether its maker is trusted is not asked.
    package func register(
        clientDataJSON: [UInt8], attestationObject: [UInt8], challenge: [UInt8], requiresVerification: Bool = false
    ) throws(PasskeyError) -> PasskeyRegistration {
        try ClientData.check(clientDataJSON, for: .registration, challenge: challenge, of: self)
        let object = try AttestationObject(attestationObject)
        let head = try AuthenticatorHead(object.authenticatorData)
        try head.check(for: self, requiresVerification: requiresVerification)
        var last = PasskeyError.unsupported
        // The library takes the kind of key first, and then refuses any other.
        for algorithm in PasskeyAlgorithm.allCases {
            guard let credential = FidoCredential(algorithm) else { throw .malformed }
            guard credential.take(object.authenticatorData) else { continue }
            do throws(PasskeyError) {
                return try credential.finish(object, clientDataJSON: clientDataJSON, party: self, head: head)
            } catch {
                last = error
            }
        }
        throw last
    }
}

/// The first 37 bytes of authenticator data.
struct AuthenticatorHead {
    let relyingPartyHash: [UInt8]
    let flags: AuthenticatorFlags
    let signCount: UInt32

    init(_ bytes: [UInt8]) throws(PasskeyError) {
        guard bytes.count >= 37 else { throw .malformed }
        relyingPartyHash = Array(bytes[0..<32])
        flags = AuthenticatorFlags(rawValue: bytes[32])
        signCount = bytes[33..<37].reduce(0) { $0 << 8 | UInt32($1) }
    }

    func check(for party: RelyingParty, requiresVerification: Bool) throws(PasskeyError) {
        guard relyingPartyHash == Digest.sha256(Array(party.id.utf8)) else { throw .wrongRelyingParty }
        guard flags.contains(.userPresent) else { throw .userNotPresent }
        guard !requiresVerification || flags.contains(.userVerified) else { throw .userNotVerified }
    }
}

/// One credential in libfido2's hands.
private final class FidoCredential {
    private let algorithm: PasskeyAlgorithm
    private var handle: OpaquePointer?

    init?(_ algorithm: PasskeyAlgorithm) {
        self.algorithm = algorithm
        guard Fido.isReady, let handle = fido_cred_new() else { return nil }
        self.handle = handle
        guard fido_cred_set_type(handle, algorithm.rawValue) == FIDO_OK else { return nil }
    }

    deinit { fido_cred_free(&handle) }

    /// Whether the authenticator data holds a key of this kind.
    func take(_ authenticatorData: [UInt8]) -> Bool {
        fido_cred_set_authdata_raw(handle, authenticatorData, authenticatorData.count) == FIDO_OK
    }

    func finish(
        _ object: AttestationObject, clientDataJSON: [UInt8], party: RelyingParty, head: AuthenticatorHead
    ) throws(PasskeyError) -> PasskeyRegistration {
        let hash = Digest.sha256(clientDataJSON)
        guard fido_cred_set_rp(handle, party.id, nil) == FIDO_OK,
            fido_cred_set_clientdata_hash(handle, hash, hash.count) == FIDO_OK
        else { throw .malformed }
        switch object.format {
        case "none":
            guard object.isStatementEmpty else { throw .badAttestation }
        case "packed", "fido-u2f":
            guard fido_cred_set_fmt(handle, object.format) == FIDO_OK,
                fido_cred_set_attstmt(handle, object.statement, object.statement.count) == FIDO_OK
            else { throw .malformed }
            let isSelf = fido_cred_x5c_len(handle) == 0
            guard !isSelf || object.format == "packed" else { throw .badAttestation }
            guard (isSelf ? fido_cred_verify_self(handle) : fido_cred_verify(handle)) == FIDO_OK else {
                throw .badAttestation
            }
        default: throw .unsupported
        }
        guard let id = bytes(fido_cred_id_ptr(handle), fido_cred_id_len(handle)), (1...1_023).contains(id.count),
            let key = bytes(fido_cred_pubkey_ptr(handle), fido_cred_pubkey_len(handle)),
            let aaguid = bytes(fido_cred_aaguid_ptr(handle), fido_cred_aaguid_len(handle)), aaguid.count == 16
        else { throw .malformed }
        return PasskeyRegistration(
            credentialID: id, publicKey: key, algorithm: algorithm, signCount: head.signCount, aaguid: aaguid,
            attestationFormat: object.format, flags: head.flags)
    }

    private func bytes(_ start: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8]? {
        start.map { Array(UnsafeBufferPointer(start: $0, count: count)) }
    }
}
