internal import Contracts
package import Postgres
package import Redis

/// A service's cache and its warm-up, composed.
///
/// ```swift
/// let load = DatabaseLoad(metrics: telemetry.metrics)
/// let database = PostgresClient(configuration: …, logger: …, onStatement: load.record)
/// let warmup = try ServiceWarmup(
///     database: database, redis: redis, load: load, outbox: events.outbox, settings: settings, telemetry: telemetry)
/// let accounts: CacheAside<UserSnapshot> = warmup.caching("account")
/// router.addMiddleware { WarmupMiddleware(warmup.controller, verify: security.verifyToken) }
/// ```
package struct ServiceWarmup: Sendable {
    package let cache: ServiceCache
    package let controller: WarmupController
    package let configuration: WarmupConfiguration

    package init(
        database: PostgresClient, redis: RedisClient, load: DatabaseLoad, outbox: Outbox, settings: ServiceSettings,
        telemetry: Telemetry, onCacheLost: @escaping @Sendable () async -> Void = {}
    ) throws {
        configuration = try WarmupConfiguration(settings: settings)
        cache = ServiceCache(
            service: settings.service, redis: redis, localCapacity: configuration.localCapacity,
            metrics: telemetry.metrics)
        controller = WarmupController(
            service: settings.service, database: database, redis: redis, cache: cache, load: load, outbox: outbox,
            configuration: configuration, metrics: telemetry.metrics, logger: telemetry.logger,
            onCacheLost: onCacheLost)
    }

    /// A kind of values, with the configured lifetimes.
    ///
    /// - Parameter lifetime: at most so long, where the kind cannot bear the configured one.
    package func caching<Value: Codable & Sendable>(
        _ kind: String, schema: Int = 1, lifetime: Duration = .seconds(3_600)
    ) -> CacheAside<Value> {
        CacheAside(
            cache, kind: kind, schema: schema, lifetime: min(lifetime, configuration.lifetime),
            negativeLifetime: configuration.negativeLifetime, localLifetime: configuration.localLifetime)
    }

    /// The operator's paths, for a group at `api/v1/internal`.
    package var routes: WarmupRoutes { WarmupRoutes(controller) }
}
