internal import NIOCore

/// The body of a request that two services may get, read to its end before the first of them hears of it.
///
/// So the first has all of its time for the request, however slowly the client sends: neither does a slow client go to the
/// second service with the first in good health, nor can one choose how much time the first is left with.
extension ClientHandler {
    /// The client has as long to send its body as with any other request of the route.
    func beginGathering(_ route: Route) {
        phase = .gathering
        deadline = exchange.started + .milliseconds(Int64(route.deadlineMilliseconds))
    }

    func gather(_ body: ByteBuffer) {
        exchange.pendingBodyBytes += body.readableBytes
        // One buffer: each of many small pieces would keep all of what it was read with.
        if exchange.pendingBody.isEmpty {
            exchange.pendingBody.append(body)
        } else {
            exchange.pendingBody[0].writeImmutableBuffer(body)
        }
        guard exchange.receivedBodyBytes > Exchange.maximumKeptBodyBytes else { return }
        // Too much to be kept: from here on it is a request like any other, for one service.
        exchange.fallback = nil
        sendGathered()
    }

    /// Sends what was gathered. Where all of it is here, its time begins now.
    func sendGathered() {
        guard let route = exchange.route else { return }
        if let fallback = exchange.fallback {
            exchange.countsFrom = .now()
            deadline = exchange.countsFrom + .milliseconds(Int64(fallback.afterMilliseconds))
            exchange.keptBody = exchange.pendingBody
        } else {
            hurry(until: route.deadlineMilliseconds)
        }
        // What is written to a connection that is ready is flushed only for those who waited for it.
        phase = .connecting
        let group = loop.group(route.upstream)
        // Many others may have come since its head did.
        guard group.admits(route.priority) else { return refuse(.overloaded) }
        group.recordRequest()
        acquire(fresh: false)
    }
}
