package import Hummingbird

extension RouterMethods<BaseRequestContext> {
    /// A group whose handlers get an ``AuthenticatedRequestContext``, for what this verifier accepts.
    package func authenticated(
        _ path: RouterPath = "", allowsPasswordChangeDue: Bool = false, by verifier: TokenVerifier
    ) -> RouterGroup<AuthenticatedRequestContext> {
        authenticated(path, allowsPasswordChangeDue: allowsPasswordChangeDue) { try verifier.verify($0) }
    }

    /// A group that only services of the suite may call; its handlers get an ``InternalRequestContext``.
    package func internalOnly(
        _ path: RouterPath = "", by credential: ServiceCredential
    ) -> RouterGroup<InternalRequestContext> {
        internalOnly(path) { try credential.verify($0) }
    }
}

extension ServiceClient {
    /// A client that proves itself with this service's credential.
    package convenience init(target: String, baseURL: String, credential: ServiceCredential) {
        self.init(target: target, baseURL: baseURL) { try credential.issue(for: target) }
    }
}

extension HealthRegistry {
    /// Makes readiness sign and verify with every key that this process signs with: proof that tokens do not need the
    /// database.
    package func registerSelfTest(of keys: KeyRing) {
        register("signing", .required) { _ in try keys.selfTest() }
    }
}
