internal import Logging
internal import Synchronization

/// Writes down when a replica falls silent, with the reason, and when it is heard again: once each, however often it is asked.
final class LifeLog: Sendable {
    private let endpoints: [UpstreamEndpoint]
    private let logger: Logger
    private let silent = Mutex<Set<Int>>([])

    init(endpoints: [UpstreamEndpoint], logger: Logger) {
        self.endpoints = endpoints
        self.logger = logger
    }

    /// - Parameter index: of the endpoint that was asked whether it lives.
    func record(_ result: ProbeResult, of index: Int) {
        let endpoint = endpoints[index]
        let address = "\(endpoint.host):\(endpoint.port)"
        switch result {
        case .failure(let failure):
            guard silent.withLock({ $0.insert(index).inserted }) else { return }
            logger.warning(
                "\(endpoint.name) gives no sign of life", metadata: ["address": "\(address)", "reason": "\(failure)"])
        case .success:
            guard silent.withLock({ $0.remove(index) }) != nil else { return }
            logger.notice("\(endpoint.name) lives again", metadata: ["address": "\(address)"])
        }
    }
}
