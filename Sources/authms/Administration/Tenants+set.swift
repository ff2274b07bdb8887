import ArgumentParser
import LocalStack
import NIOHTTP1

extension Tenants {
    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes a tenant's names and policies; what is not named stays as it is.")

        @OptionGroup var place: AdminPlace
        @OptionGroup var tenant: TenantName
        @Option(help: "What people see.")
        var displayName: String?
        @Option(help: "Who becomes a member by registering: open, invitation or approval.")
        var membership: String?
        @OptionGroup(title: "Passwords") var passwords: PasswordOptions
        @Option(help: "How many sessions a user may have.")
        var maxSessions: Int?
        @Option(help: "true: whoever registers is told that an address is taken. false: only its owner is, by mail.")
        var registrationDiscloses: Bool?
        @Option(help: "Whether one signs in only after verifying the e-mail address: true or false.")
        var requireVerifiedEmail: Bool?
        @Option(help: "Whether users get a mail when they sign in with a device not seen before: true or false.")
        var newDeviceMail: Bool?

        func run() async throws {
            let client = try await place.client()
            let body = TenantBody(
                displayName: displayName, membership: membership, passwordPolicy: passwords.body,
                sessionPolicy: maxSessions.map { ["max_sessions": $0] }, registrationDiscloses: registrationDiscloses,
                requiresVerifiedEmail: requireVerifiedEmail, newDeviceMail: newDeviceMail)
            let answer = try await client.call(.PUT, "/admin/tenants/\(tenant.id(client))", body: body)
            try answer.printFields(Tenants.fields, json: place.json)
        }
    }

    struct PasswordOptions: ParsableArguments {
        @Option(help: "The shortest password, 8 to 128.")
        var minLength: Int?
        @Option(help: "The longest password, 128 to 1024.")
        var maxLength: Int?
        @Option(help: "How many of the last passwords may not be chosen again, 0 to 24.")
        var passwordHistory: Int?
        @Option(help: "After how many days a password must be changed, 0 (never) to 3650.")
        var passwordMaxAgeDays: Int?
        @Option(help: "Whether passwords that attackers try first are refused: true or false.")
        var refuseCommonPasswords: Bool?

        fileprivate var body: PolicyBody {
            PolicyBody(
                minLength: minLength, maxLength: maxLength, history: passwordHistory, maxAgeDays: passwordMaxAgeDays,
                refuseCommon: refuseCommonPasswords)
        }
    }
}

private struct TenantBody: Encodable {
    let displayName: String?
    let membership: String?
    let passwordPolicy: PolicyBody
    let sessionPolicy: [String: Int]?
    let registrationDiscloses: Bool?
    let requiresVerifiedEmail: Bool?
    let newDeviceMail: Bool?

    enum CodingKeys: String, CodingKey {
        case displayName = "display_name"
        case membership
        case passwordPolicy = "password_policy"
        case sessionPolicy = "session_policy"
        case registrationDiscloses = "registration_discloses"
        case requiresVerifiedEmail = "requires_verified_email"
        case newDeviceMail = "new_device_mail"
    }
}

private struct PolicyBody: Encodable {
    let minLength: Int?
    let maxLength: Int?
    let history: Int?
    let maxAgeDays: Int?
    let refuseCommon: Bool?

    enum CodingKeys: String, CodingKey {
        case minLength = "min_length"
        case maxLength = "max_length"
        case history
        case maxAgeDays = "max_age_days"
        case refuseCommon = "refuse_common"
    }
}
