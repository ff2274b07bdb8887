import Contracts
import Foundation
import MicroMiddleware
import Postgres

/// What makes and serves checkpoints; nothing where no keys for them are configured.
struct CheckpointParts {
    let store: CheckpointStore
    let checkpointer: Checkpointer
    let keySet: @Sendable () -> String
    let watcher: KeyRingWatcher

    /// - Throws: `KeyRingError` for keys that cannot be read, or when the copies' directory cannot be made.
    init?(
        _ configuration: AuditConfiguration, database: PostgresClient, outbox: Outbox, telemetry: Telemetry
    ) throws {
        guard let directory = configuration.checkpointKeys else { return nil }
        let ring = try KeyRing.load(directory: directory)
        let store = CheckpointStore(database, ring: ring)
        self.store = store
        checkpointer = Checkpointer(
            store: store, copies: try configuration.checkpointDirectory.map { try CheckpointCopies(directory: $0) },
            interval: configuration.checkpointInterval,
            signed: telemetry.metrics.counter("authms_audit_checkpoints_total", help: "Checkpoints signed."),
            failed: telemetry.metrics.counter(
                "authms_audit_checkpoints_refused_total", help: "Chains that were not signed since they are broken."),
            wakeRelay: { outbox.wake() }, logger: telemetry.logger)
        watcher = KeyRingWatcher(
            ring: ring, directory: directory, uses: [.access], interval: configuration.keysReloadInterval,
            logger: telemetry.logger)
        keySet = { String(decoding: ring.jwks, as: UTF8.self) }
    }
}
