import CFido2

/// A signature that held.
package struct PasskeyAssertion: Sendable, Hashable {
    package let signCount: UInt32
    package let flags: AuthenticatorFlags
}

extension RelyingParty {
    /// Checks what `navigator.credentials.get` gave, under a key that was registered (section 7.2). The counter is the
    /// caller's to compare.
    package func authenticate(
        clientDataJSON: [UInt8], authenticatorData: [UInt8], signature: [UInt8], challenge: [UInt8],
        publicKey: [UInt8], algorithm: PasskeyAlgorithm, requiresVerification: Bool
    ) throws(PasskeyError) -> PasskeyAssertion {
        try ClientData.check(clientDataJSON, for: .authentication, challenge: challenge, of: self)
        guard authenticatorData.count <= 4_096, (1...1_024).contains(signature.count) else { throw .malformed }
        let head = try AuthenticatorHead(authenticatorData)
        try head.check(for: self, requiresVerification: requiresVerification)
        guard Fido.isReady, let key = PublicKey(publicKey, algorithm) else { throw .malformed }
        var assertion = fido_assert_new()
        defer { fido_assert_free(&assertion) }
        let hash = Digest.sha256(clientDataJSON)
        guard assertion != nil, fido_assert_set_rp(assertion, id) == FIDO_OK,
            fido_assert_set_clientdata_hash(assertion, hash, hash.count) == FIDO_OK,
            fido_assert_set_count(assertion, 1) == FIDO_OK,
            fido_assert_set_up(assertion, FIDO_OPT_TRUE) == FIDO_OK,
            fido_assert_set_uv(assertion, requiresVerification ? FIDO_OPT_TRUE : FIDO_OPT_OMIT) == FIDO_OK,
            fido_assert_set_authdata_raw(assertion, 0, authenticatorData, authenticatorData.count) == FIDO_OK,
            fido_assert_set_sig(assertion, 0, signature, signature.count) == FIDO_OK
        else { throw .malformed }
        guard fido_assert_verify(assertion, 0, algorithm.rawValue, key.pointer) == FIDO_OK else {
            throw .badSignature
        }
        return PasskeyAssertion(signCount: head.signCount, flags: head.flags)
    }

    /// The challenge that a browser's answer says it is for, to find out what was asked.
    package static func challenge(inClientData bytes: [UInt8]) -> [UInt8]? { ClientData.challenge(in: bytes) }
}

/// A public key in libfido2's hands.
private final class PublicKey {
    private enum Handle {
        case es256(OpaquePointer?)
        case eddsa(OpaquePointer?)
        case rs256(OpaquePointer?)
    }

    private let handle: Handle
    let pointer: UnsafeRawPointer?

    init?(_ bytes: [UInt8], _ algorithm: PasskeyAlgorithm) {
        let status: Int32
        switch algorithm {
        case .es256:
            let key = es256_pk_new()
            handle = .es256(key)
            pointer = key.map { UnsafeRawPointer($0) }
            status = key == nil ? FIDO_ERR_INTERNAL : es256_pk_from_ptr(key, bytes, bytes.count)
        case .eddsa:
            let key = eddsa_pk_new()
            handle = .eddsa(key)
            pointer = key.map { UnsafeRawPointer($0) }
            status = key == nil ? FIDO_ERR_INTERNAL : eddsa_pk_from_ptr(key, bytes, bytes.count)
        case .rs256:
            let key = rs256_pk_new()
            handle = .rs256(key)
            pointer = key.map { UnsafeRawPointer($0) }
            status = key == nil ? FIDO_ERR_INTERNAL : rs256_pk_from_ptr(key, bytes, bytes.count)
        }
        guard status == FIDO_OK else { return nil }
    }

    deinit {
        switch handle {
        case .es256(var key): es256_pk_free(&key)
        case .eddsa(var key): eddsa_pk_free(&key)
        case .rs256(var key): rs256_pk_free(&key)
        }
    }
}
