import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Testing

@Suite("Registering")
struct RegistrationTests {
    let repository = InMemoryIdentityRepository()
    let hasher = CountingHasher()

    @Test(
        "An address or number that is taken gets the same answer for one hash, and its owner is told",
        arguments: [
            RegistrationForm(email: "ANN@example.org", password: "another horse"),
            RegistrationForm(phone: "+49 30 1234567", password: "another horse"),
        ])
    func taken(form: RegistrationForm) async throws {
        let owner = try await register(
            RegistrationForm(
                email: "ann@example.org", phone: "+49301234567", password: "correct horse"))
        let before = hasher.runs
        let pretended = try await register(form)
        #expect(hasher.runs == before + 1)
        #expect(pretended.id != owner.id && pretended.status == .active)
        let last = await repository.events.last
        #expect(last?.type == .registrationRepeated && last?.subject == owner.id.text)
        let nobody = await repository.account(
            pretended.id, tenantID: owner.tenantID, deadline: makeOrigin().scope.deadline)
        #expect(nobody == nil)
    }

    @Test("Who registers twice with the same password gets the same account")
    func twice() async throws {
        let form = RegistrationForm(email: "ann@example.org", password: "correct horse")
        let first = try await register(form)
        let second = try await register(form)
        #expect(first.id == second.id)
    }

    @Test("Whose password may not be tried at a login for now may not register again either; who is new may")
    func throttled() async throws {
        let throttle = CountingThrottle(limit: 2)
        let right = RegistrationForm(email: "ann@example.org", password: "correct horse")
        let owner = try await register(right, throttle: throttle)
        #expect(throttle.failures == 0 && throttle.identities == ["ann@example.org"])
        let wrong = RegistrationForm(email: "Ann@example.org", password: "another horse")
        _ = try await register(wrong, throttle: throttle)
        #expect(throttle.failures == 1)
        // The right one wipes that out, as at a login.
        #expect(try await register(right, throttle: throttle).id == owner.id)
        #expect(throttle.failures == 0)
        for _ in 0..<2 { _ = try await register(wrong, throttle: throttle) }
        let before = hasher.runs
        let pretended = try await register(right, throttle: throttle)
        #expect(pretended.id != owner.id && pretended.email == owner.email && hasher.runs == before + 1)
        #expect(throttle.failures == 2)
        let ben = try await register(
            RegistrationForm(email: "ben@example.org", password: "correct horse"), throttle: throttle)
        let stored = await repository.account(ben.id, tenantID: ben.tenantID, deadline: makeOrigin().scope.deadline)
        #expect(stored?.user.email == "ben@example.org" && throttle.failures == 2)
    }

    @Test("A password that attackers try first is refused, whatever its case, and so is one with more than the limit")
    func common() async throws {
        for password in ["password1", "PassWord1", "qwertyuiop", "iloveyou1"] {
            await #expect(throws: IdentityError.self, "\(password)") {
                _ = try await register(RegistrationForm(email: "ann@example.org", password: password))
            }
        }
        let long = String(repeating: "long and ünusual ", count: 12)
        _ = try await register(RegistrationForm(email: "ann@example.org", password: long))
        #expect(long.count > 128)
    }

    private func register(
        _ form: RegistrationForm, throttle: any Throttling = NoThrottle()
    ) async throws -> User {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let common = try CommonPasswords(file: root.appending(path: "configs/passwords/common.sha1-40").path())
        return try await Registration(
            repository: repository, hasher: hasher,
            choice: PasswordChoice(screening: OnlyCommon(common: common), hasher: hasher), throttle: throttle
        ).register(form, origin: makeOrigin())
    }
}

private struct OnlyCommon: PasswordScreening {
    let common: CommonPasswords
    func isKnown(_ password: String) -> Bool { common.contains(password) }
}

@Suite("Passwords in transit and in time")
struct PasswordPolicyTests {
    let tenant = UUID()

    @Test("Under hash the client's digest and the plain password come to the same")
    func hashed() throws {
        let policy = PasswordPolicy(transmission: "hash")
        let plain = policy.presented("correct horse", declared: "plain", tenantID: tenant)
        #expect(policy.presented(plain.uppercased(), declared: nil, tenantID: tenant) == plain)
        #expect(try policy.choose(plain, declared: "hash", tenantID: tenant, field: "password").presented == plain)
        #expect(throws: IdentityError.self) {
            try policy.choose("correct horse", declared: nil, tenantID: tenant, field: "password")
        }
        #expect(throws: IdentityError.self) {
            try policy.choose("short", declared: "plain", tenantID: tenant, field: "password")
        }
    }

    @Test("Under plain a digest is a password like any, unless the client says that it is one")
    func plain() throws {
        let policy = PasswordPolicy()
        #expect(policy.presented("Ab", declared: nil, tenantID: tenant) == "Ab")
        #expect(throws: IdentityError.self) {
            try policy.choose(String(repeating: "a", count: 64), declared: "hash", tenantID: tenant, field: "password")
        }
    }

    @Test("However a keyboard composes it, a password is the same")
    func normalised() {
        #expect(PasswordPolicy.normalized("pa\u{308}ss\u{FB01}") == PasswordPolicy.normalized("p\u{E4}ssfi"))
    }

    @Test("A password expires where the tenant asks for it, and nowhere else")
    func expiry() {
        let changed = Date() - 91 * 86_400
        #expect(PasswordPolicy(maximumAgeDays: 90).isExpired(changedAt: changed, now: Date()))
        #expect(!PasswordPolicy(maximumAgeDays: 92).isExpired(changedAt: changed, now: Date()))
        #expect(!PasswordPolicy().isExpired(changedAt: changed, now: Date()))
    }
}
