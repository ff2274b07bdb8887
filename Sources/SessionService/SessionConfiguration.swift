package import MicroMiddleware

/// What the session service is configured with, beyond what every service is.
package struct SessionConfiguration: Sendable {
    package var lifetime: SessionLifetime

    package init(settings: ServiceSettings) throws {
        lifetime = SessionLifetime(
            idle: try settings.value(.sessionIdleTimeout), absolute: try settings.value(.sessionAbsoluteTimeout),
            grace: try settings.value(.refreshGrace), accessToken: try settings.value(.tokenLifetime))
    }

    /// For the reference documentation.
    package static let keys: [ConfigurationKeySummary] = [
        ConfigurationKey<Duration>.sessionIdleTimeout.summary,
        ConfigurationKey<Duration>.sessionAbsoluteTimeout.summary, ConfigurationKey<Duration>.refreshGrace.summary,
    ]
}

extension ConfigurationKey<Duration> {
    static let sessionIdleTimeout = duration(
        "session.idle_timeout", default: .days(30), in: .seconds(60) ... .days(365),
        "How long a session lives without being refreshed.")
    static let sessionAbsoluteTimeout = duration(
        "session.absolute_timeout", default: .days(90), in: .seconds(60) ... .days(3_650),
        "How long a session lives, however often it is refreshed.")
    static let refreshGrace = duration(
        "session.refresh_grace", default: .seconds(10), in: .zero ... .seconds(120),
        "How long the refresh token before the last gets the same successor again.")
}
