package import MicroMiddleware

/// What the audit service is configured with, beyond what every service is.
package struct AuditConfiguration: Sendable {
    package var checkpointInterval: Duration
    /// The key ring that checkpoints are signed under; without one there are none.
    package var checkpointKeys: String?
    /// Where copies of the signed checkpoints go.
    package var checkpointDirectory: String?
    package var keysReloadInterval: Duration
    /// How many months of records are kept while no administrator has said; nil is for ever.
    package var retentionMonths: Int?

    package init(settings: ServiceSettings) throws {
        checkpointInterval = try settings.value(.checkpointInterval)
        checkpointKeys = try settings.valueIfPresent(.checkpointKeys)
        checkpointDirectory = try settings.valueIfPresent(.checkpointDirectory)
        keysReloadInterval = try settings.value(.keysReloadInterval)
        retentionMonths = try settings.valueIfPresent(.retentionMonths)
    }

    /// For the reference documentation.
    package static let keys: [ConfigurationKeySummary] = [
        ConfigurationKey<Duration>.checkpointInterval.summary, ConfigurationKey<String>.checkpointKeys.summary,
        ConfigurationKey<String>.checkpointDirectory.summary, ConfigurationKey<Int>.retentionMonths.summary,
    ]
}

extension ConfigurationKey<Int> {
    static let retentionMonths = int(
        "audit.retention_months", in: 12...1_200,
        "How many whole months of audit records are kept, until PUT …/retention-policy says otherwise; for ever without."
    )
}

extension ConfigurationKey<Duration> {
    static let checkpointInterval = duration(
        "audit.checkpoint_interval", default: .seconds(60), in: .seconds(1) ... .seconds(86_400),
        "How often each tenant's chain is signed, if anything has happened.")
}

extension ConfigurationKey<String> {
    static let checkpointKeys = string(
        "audit.keys_directory", "The key ring that checkpoints are signed under; without it none are made.")
    static let checkpointDirectory = string(
        "audit.checkpoint_directory", "Where a copy of each signed checkpoint goes; best outside of this machine.")
}
