import Contracts
import IdentityService
import Testing

@Suite("What somebody may do in a tenant")
struct AuthorityTests {
    @Test(
        "Applications' permissions are covered by what answers for them",
        arguments: [
            (["documents:read"], "documents:read", true), (["documents:*"], "documents:read", true),
            (["documents:*"], "documents:*", true), (["documents:*"], "documents:read@42", true),
            (["documents:read"], "documents:read@42", true), (["documents:read@42"], "documents:read@42", true),
            (["documents:read@4@2"], "documents:read@4@2", true), ([], "documents:read", false),
            (["documents:read"], "documents:*", false), (["documents:read"], "documents:write", false),
            (["documents:read@42"], "documents:read", false), (["documents:read@42"], "documents:read@43", false),
            (["documents:read@42"], "documents:*", false), (["documents:*"], "documentsx:read", false),
        ] as [([String], String, Bool)])
    func applications(held: [String], asked: String, isCovered: Bool) {
        let holder = Authority(roles: ["admin", "own"], extra: held)
        #expect(holder.covers(Authority(roles: ["member"], extra: [asked])) == isCovered)
        #expect(Authority(roles: ["owner"]).covers(Authority(roles: ["member"], extra: [asked])))
    }

    @Test("The suite's permissions are covered by themselves, and an owner by owners alone")
    func suite() {
        let everything = Authority(roles: ["own"], extra: Permission.allCases.map(\.rawValue))
        #expect(everything.covers(Authority(roles: ["admin", "auditor"])))
        #expect(!Authority(roles: ["admin"]).covers(everything))
        #expect(Authority(roles: ["owner"]).covers(everything))
        // Whoever could make an owner would hold every application's permissions, too.
        #expect(!everything.covers(Authority(roles: ["owner"])))
        #expect(Authority(roles: ["owner"]).covers(Authority(roles: ["owner", "own"], extra: ["documents:*"])))
    }
}
