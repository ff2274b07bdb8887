import LocalStack

/// The addresses and credentials of a private stack, as environment variables.
struct StackVariables {
    let plan: StackPlan

    var all: [(name: String, value: String)] {
        let layout = plan.layout
        var variables: [(name: String, value: String)] = [("GATEWAY_URL", layout.url(of: .gateway))]
        for role in ServiceRole.withDatabase {
            variables.append(("\(role.rawValue.uppercased())_URL", layout.url(of: role)))
        }
        for role in ServiceRole.withDatabase {
            guard let database = plan.databases[role] else { continue }
            let name = role.rawValue.uppercased()
            variables.append(("\(name)_DATABASE_URL", database.ownURL))
            if database.ownerURL != database.ownURL {
                variables.append(("\(name)_DATABASE_OWNER_URL", database.ownerURL))
            }
            variables.append(("\(name)_DATABASE_SUPERUSER_URL", database.ownSuperuserURL))
        }
        variables.append(("REDIS_URL", plan.redis.url))
        variables.append(("AMQP_URL", plan.rabbitMQ.url()))
        variables.append(("JWKS_URL", "\(layout.url(of: .gateway))/.well-known/jwks.json"))
        variables.append(("KEYS_DIRECTORY", layout.keysDirectory))
        variables.append(("AUDIT_KEYS_DIRECTORY", layout.auditKeysDirectory))
        variables.append(("AUDIT_CHECKPOINT_DIRECTORY", layout.checkpointDirectory))
        variables.append(("INTERNAL_SECRET", plan.secrets["internal"]))
        if let administrator = Administrator.recorded(in: layout) {
            variables.append(("ADMIN_EMAIL", administrator.email))
            variables.append(("ADMIN_PASSWORD", administrator.password))
        }
        return variables
    }
}
