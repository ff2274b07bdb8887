import Contracts
import Foundation
import MFAService
import MicroMiddleware
import Passkeys
import Testing

@Suite("A passkey alone")
struct PasskeyAloneTests {
    let ann = UUID.v7()
    let tenant = UUID.v7()

    @Test("It says whom it is for, or is none; then its challenge is looked at")
    func userHandle() async throws {
        let repository = InMemoryMFARepository()
        let passkey = Passkey(
            id: .v7(), userID: ann, tenantID: tenant, credentialID: [1, 2, 3], publicKey: [4], algorithm: .es256,
            signCount: 0, transports: [], aaguid: UUID(), attestation: "none", isSynced: false, name: "key",
            createdAt: Date())
        _ = await repository.insert(passkey, codes: [], events: [], deadline: makeScope().deadline)
        let proof = PasskeyProof(repository: repository, party: RelyingParty(id: "localhost"))
        func attempt(_ handle: String?) async throws {
            let credential = WebAuthnCredential(
                id: Base64URLText.text([1, 2, 3]), type: "public-key",
                response: .init(clientDataJSON: "e30", userHandle: handle))
            _ = try await proof.verifyAlone(
                .v7(), VerifyPasskeyRequest(tenantID: tenant, credential: credential, ip: nil, userAgent: nil),
                scope: makeScope())
        }
        for wrong in [nil, "", "!", text(UUID.v7())] {
            await #expect(throws: MFAError.codeInvalid) { try await attempt(wrong) }
        }
        await #expect(throws: MFAError.challengeOver) { try await attempt(text(ann)) }
    }

    /// As a browser sends an id.
    private func text(_ id: UUID) -> String {
        Base64URLText.text(withUnsafeBytes(of: id.uuid) { Array($0) })
    }
}
