internal import ConnectionKit
internal import Contracts
package import Foundation
internal import Logging
internal import Synchronization

extension WarmupController {
    /// Begins to warm up, unless that is under way.
    ///
    /// - Parameter person: who ordered it; `nil` when the service found for itself that it must.
    /// - Returns: whether it began.
    @discardableResult
    package func start(reason: String, by person: String?, at now: Date) async throws -> Bool {
        let (began, warmup) = state.withLock { state in
            (state.warmup.change { $0.start(reason: reason, at: now) }, state.warmup)
        }
        guard began else { return false }
        logger.notice("warming up begins: \(reason)")
        await share()
        try await record(".warmup.started", warmup, reason: reason, by: person)
        return true
    }

    /// Admits everybody at once.
    ///
    /// - Returns: whether there was a ramp.
    @discardableResult
    package func skip(by person: String, at now: Date) async throws -> Bool {
        let (ended, warmup) = state.withLock { state in
            (state.warmup.change { _ = $0.skip(at: now) }, state.warmup)
        }
        guard ended else { return false }
        logger.notice("warming up is skipped by \(person)")
        await share()
        try await record(".warmup.skipped", warmup, reason: nil, by: person)
        return true
    }

    private func record(_ name: String, _ warmup: WarmupState, reason: String?, by person: String?) async throws {
        let event = try DomainEvent(
            type: EventType(rawValue: service + name), subject: service, tenantID: DefaultTenant.id,
            data: EventDetail(
                actorType: person == nil ? "service" : "operator", status: .success,
                details: ["reason": reason, "by": person].compactMapValues { $0 }))
        try await ledger.record(warmup, event: event, deadline: .after(Self.timeout * 2))
        outbox.wake(.soon)
    }

    /// How matters stand.
    package var report: WarmupReport {
        state.withLock { state in
            let ramp = state.warmup.ramp
            return WarmupReport(
                service: service, stage: ramp.stage, share: ramp.share(configuration.plan), since: ramp.since,
                started: ramp.started, reason: ramp.reason, load: state.load,
                steady_ms: state.steady.map { $0 / .milliseconds(1) }, usualHits: state.usualHits,
                generation: cache.generation, isShared: state.isShared, preloaded: state.preloaded,
                history: state.history)
        }
    }
}
