/// What has to be done to a database.
package struct MigrationPlan: Sendable, Equatable {
    package var pending: [Migration] = []
    package var present: [String] = []
    package var newer: [String] = []
}

extension MigrationSet {
    /// Compares the set with what was applied.
    ///
    /// - Throws: `MigrationError` when an applied migration was changed or is missing, or a new one is not the newest.
    package func plan(after history: [AppliedMigration]) throws(MigrationError) -> MigrationPlan {
        var plan = MigrationPlan()
        let known = Dictionary(migrations.map { ($0.version, $0) }, uniquingKeysWith: { first, _ in first })
        let newestKnown = migrations.last?.version ?? 0
        for applied in history {
            let label = Migration(version: applied.version, name: applied.name, sql: "").label
            if let migration = known[applied.version] {
                guard migration.checksum == applied.checksum else { throw .changed(migration.label) }
                plan.present.append(label)
            } else if applied.version > newestKnown {
                plan.newer.append(label)
            } else {
                throw .missing(label)
            }
        }
        let versions = Set(history.map(\.version))
        plan.pending = migrations.filter { !versions.contains($0.version) }
        if let late = plan.pending.first, let newest = history.max(by: { $0.version < $1.version }),
            late.version < newest.version
        {
            throw .outOfOrder(
                late.label, applied: Migration(version: newest.version, name: newest.name, sql: "").label)
        }
        return plan
    }
}
