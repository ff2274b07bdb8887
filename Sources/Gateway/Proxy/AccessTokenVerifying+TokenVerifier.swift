package import MicroMiddleware

extension TokenVerifier: AccessTokenVerifying {
    package func verdict(on token: String) -> TokenVerdict {
        do {
            _ = try verify(token)
            return .valid
        } catch .expired {
            return .expired
        } catch .revoked {
            return .revoked
        } catch {
            return .invalid
        }
    }
}
