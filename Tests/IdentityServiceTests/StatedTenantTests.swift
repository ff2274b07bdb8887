import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Testing

@Suite("Which tenant a request without a token is about")
struct StatedTenantTests {
    private let tenant = UUID()
    private let other = UUID()

    @Test("The body's, else the header's, else the default")
    func order() throws {
        #expect(try StatedTenant.choose(body: nil, header: nil) == DefaultTenant.id)
        #expect(try StatedTenant.choose(body: nil, header: tenant.text) == tenant)
        #expect(try StatedTenant.choose(body: tenant, header: nil) == tenant)
        #expect(try StatedTenant.choose(body: tenant, header: other.text) == tenant)
    }

    @Test("A header that is no UUID is refused by name, even where the body decides", arguments: ["acme", "", "a, b"])
    func malformed(text: String) throws {
        for body in [nil, tenant] {
            let error = #expect(throws: APIError.self) { try StatedTenant.choose(body: body, header: text) }
            #expect(error?.code == .validationFailed)
            #expect(error?.violations.map(\.field) == ["X-Tenant-ID"])
        }
    }
}
