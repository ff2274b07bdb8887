extension PostgresConnection {
    /// Runs `body` in a transaction on this connection, which stays leased: COMMIT when it returns, ROLLBACK when it
    /// throws. For those who hold a connection for longer than one transaction, with a session's lock for example.
    package func withTransaction<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        try await begin()
        let value: Value
        do {
            value = try await body(self)
        } catch {
            await rollback()
            throw error
        }
        try await commit()
        return value
    }
}
