import Contracts
import MicroMiddleware

extension AuthenticatedRequestContext {
    /// What is of the whole suite, such as how complete every service's stream is, is for those who run it:
    /// administrators of the default tenant. Another tenant's role, whatever its name, allows nothing here.
    ///
    /// - Throws: ``APIError`` 403001 for everybody else.
    func requireOperator() throws(APIError) {
        guard identity.tenantID == DefaultTenant.id else { throw APIError(.permissionDenied) }
    }
}
