import ArgumentParser
import LocalStack

struct Env: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints the addresses and credentials of everything private, for `eval \"$(authms env)\"`.",
        discussion: """
            Examples:
              eval "$(authms env)"; psql "$IDENTITY_DATABASE_URL"; redis-cli -u "$REDIS_URL"
            """)

    @Option(help: "Prints the value of one variable alone.")
    var only: String?

    func run() throws {
        let variables = StackVariables(plan: try Local.existingPlan()).all
        if let only {
            guard let value = variables.first(where: { $0.name == only })?.value else {
                throw LocalStackError(
                    .usage, "There is no \(only): \(variables.map(\.name).joined(separator: ", ")).")
            }
            Local.say(value)
        } else {
            for (name, value) in variables { Local.say("export \(name)='\(value.replacing("'", with: "'\\''"))'") }
        }
    }
}
