/// How a service caches and how it warms up.
package struct WarmupConfiguration: Sendable {
    package var plan: WarmupPlan
    /// Between two looks at load, cache and ramp.
    package var interval: Duration
    /// How many times the usual p95 is still normal.
    package var loadLimit: Double
    /// A usual p95 below this counts as this: what is fast anyway may vary.
    package var steadyFloor: Duration
    /// Cache hits a second; a service that had fewer can do without its cache, and without a ramp.
    package var minimumHits: Double
    package var isAutomatic: Bool
    package var hotKeyLimit: Int
    package var hotKeyInterval: Duration
    /// Keys preloaded a second.
    package var preloadRate: Int
    package var lifetime: Duration
    package var localLifetime: Duration
    package var negativeLifetime: Duration
    package var localCapacity: Int

    package init(settings: ServiceSettings) throws {
        plan = WarmupPlan(
            firstShare: try settings.value(.warmupFirstShare), secondShare: try settings.value(.warmupSecondShare),
            firstStage: try settings.value(.warmupFirstStage), secondStage: try settings.value(.warmupSecondStage),
            watch: try settings.value(.warmupWatch), patience: try settings.value(.warmupPatience))
        interval = try settings.value(.warmupInterval)
        loadLimit = Double(try settings.value(.warmupLoadLimit)) / 100
        steadyFloor = try settings.value(.warmupSteadyFloor)
        minimumHits = Double(try settings.value(.warmupMinimumHits))
        isAutomatic = try settings.value(.warmupAutomatic)
        hotKeyLimit = try settings.value(.hotKeyLimit)
        hotKeyInterval = try settings.value(.hotKeyInterval)
        preloadRate = try settings.value(.preloadRate)
        lifetime = try settings.value(.cacheLifetime)
        localLifetime = try settings.value(.cacheLocalLifetime)
        negativeLifetime = try settings.value(.cacheNegativeLifetime)
        localCapacity = try settings.value(.cacheLocalCapacity)
    }

    /// For the reference documentation.
    package static let keys: [ConfigurationKeySummary] = [
        ConfigurationKey<Duration>.cacheLifetime.summary, ConfigurationKey<Duration>.cacheLocalLifetime.summary,
        ConfigurationKey<Duration>.cacheNegativeLifetime.summary, ConfigurationKey<Int>.cacheLocalCapacity.summary,
        ConfigurationKey<Int>.hotKeyLimit.summary, ConfigurationKey<Duration>.hotKeyInterval.summary,
        ConfigurationKey<Bool>.warmupAutomatic.summary, ConfigurationKey<Int>.warmupFirstShare.summary,
        ConfigurationKey<Int>.warmupSecondShare.summary, ConfigurationKey<Duration>.warmupFirstStage.summary,
        ConfigurationKey<Duration>.warmupSecondStage.summary, ConfigurationKey<Duration>.warmupWatch.summary,
        ConfigurationKey<Duration>.warmupPatience.summary, ConfigurationKey<Duration>.warmupInterval.summary,
        ConfigurationKey<Int>.warmupLoadLimit.summary, ConfigurationKey<Duration>.warmupSteadyFloor.summary,
        ConfigurationKey<Int>.warmupMinimumHits.summary, ConfigurationKey<Int>.preloadRate.summary,
    ]
}

extension ConfigurationKey<Duration> {
    static let cacheLifetime = duration(
        "cache.lifetime", default: .seconds(300), in: .seconds(1) ... .seconds(3_600),
        "How long a value stays cached, and so how old one may be whose change Redis could not be told of.")
    static let cacheLocalLifetime = duration(
        "cache.local_lifetime", default: .milliseconds(500), in: .zero ... .seconds(10),
        "How long a process answers from its own memory, and so how late it sees what another replica changed; 0s for never."
    )
    static let cacheNegativeLifetime = duration(
        "cache.negative_lifetime", default: .seconds(5), in: .milliseconds(100) ... .seconds(600),
        "How long it stays cached that there is no such thing.")
    static let hotKeyInterval = duration(
        "cache.hot_keys_interval", default: .seconds(30), in: .seconds(1) ... .seconds(3_600),
        "How often the keys that are asked for most are written to the database.")
    static let warmupFirstStage = duration(
        "warmup.first_stage", default: .seconds(300), in: .seconds(1) ... .seconds(86_400),
        "How long the first share holds at least.")
    static let warmupSecondStage = duration(
        "warmup.second_stage", default: .seconds(600), in: .seconds(1) ... .seconds(86_400),
        "How long the second share holds at least.")
    static let warmupWatch = duration(
        "warmup.watch", default: .seconds(300), in: .zero ... .seconds(86_400),
        "How long the database is still watched once all are admitted.")
    static let warmupPatience = duration(
        "warmup.patience", default: .seconds(30), in: .zero ... .seconds(3_600),
        "How long the load must be high without a pause before the ramp steps back.")
    static let warmupInterval = duration(
        "warmup.interval", default: .seconds(1), in: .milliseconds(100) ... .seconds(60),
        "Between two looks at the load, the cache and the ramp.")
    static let warmupSteadyFloor = duration(
        "warmup.steady_floor", default: .milliseconds(5), in: .milliseconds(1) ... .seconds(10),
        "A usual p95 statement time below this counts as this.")
}

extension ConfigurationKey<Int> {
    static let cacheLocalCapacity = int(
        "cache.local_capacity", default: 4_096, in: 2...1_000_000, "How many values a process keeps in its own memory.")
    static let hotKeyLimit = int(
        "cache.hot_keys", default: 5_000, in: 1...1_000_000,
        "How many of the keys that are asked for most are remembered in the database.")
    static let warmupFirstShare = int(
        "warmup.first_share", default: 20, in: 1...100, "Percent of the users admitted while hot keys are preloaded.")
    static let warmupSecondShare = int(
        "warmup.second_share", default: 50, in: 1...100, "Percent of the users admitted while the database is watched.")
    static let warmupLoadLimit = int(
        "warmup.load_limit", default: 200, in: 101...10_000,
        "Percent of the usual p95 statement time that is still normal.")
    static let warmupMinimumHits = int(
        "warmup.minimum_hits", default: 20, in: 0...1_000_000,
        "Cache hits a second; what had fewer starts no ramp by itself, since its database bears the loss of the cache.")
    static let preloadRate = int(
        "warmup.preload_rate", default: 200, in: 1...100_000, "How many hot keys are preloaded a second.")
}

extension ConfigurationKey<Bool> {
    static let warmupAutomatic = bool(
        "warmup.automatic", default: true,
        "Whether a service that finds its database restored or its cache gone begins to warm up by itself.")
}
