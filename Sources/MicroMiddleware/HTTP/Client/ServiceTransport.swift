internal import AsyncHTTPClient
internal import ConnectionKit
internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The connections to the other services, and the one place that knows the HTTP client.
enum ServiceTransport {
    /// Answers of services may be so large.
    static let maximumAnswerBytes = 8 * 1_024 * 1_024

    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
        /// Whether the service closes the connection after it.
        let isLastOnConnection: Bool
        /// Whether the service says that it has not acted on the request, nor will.
        let isNotActedOn: Bool
    }

    /// One for the process, like the event loops that it runs on; it lives as long as they do. A connection that cannot
    /// be made fails its request at once: trying again is the caller's decision.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .milliseconds(500)
        configuration.connectionPool = .init(idleTimeout: .seconds(60))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 32
        configuration.httpVersion = .http1Only
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    static func send(
        _ method: HTTPRequest.Method, _ url: String, body: [UInt8]?, credential: String, scope: RequestScope,
        target: String
    ) async throws(ServiceCallError) -> Answer {
        let remaining = scope.deadline.remainingMilliseconds
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: method.rawValue)
        request.headers = [
            "x-internal-authorization": "Bearer \(credential)", "x-request-id": scope.requestID,
            "traceparent": scope.trace.traceparent, "x-request-deadline-ms": String(remaining),
        ]
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        do {
            let response = try await client.execute(
                request, deadline: .now() + .milliseconds(Int64(remaining)))
            // The client's own deadline ends with the head of an answer.
            let body = try await withDeadline(scope.deadline) {
                try await response.body.collect(upTo: maximumAnswerBytes)
            }
            return Answer(
                status: Int(response.status.code), body: Array(body.readableBytesView),
                isLastOnConnection: response.headers[canonicalForm: "connection"].contains("close"),
                isNotActedOn: response.status == .serviceUnavailable
                    && response.headers.contains(name: HTTPField.Name.requestNotActedOn.canonicalName))
        } catch {
            throw map(error, target: target)
        }
    }

    private static func map(_ error: any Error, target: String) -> ServiceCallError {
        switch error {
        case is CancellationError: return .cancelled
        case is DeadlineExceeded: return .deadlineExceeded(target: target)
        case is NIOTooManyBytesError: return .unreadable(target: target, reason: "the answer is too large")
        case let error as IOError where error.errnoCode == ECONNREFUSED:
            return .unavailable(target: target, mayHaveActed: false)
        case is NIOConnectionError: return .unavailable(target: target, mayHaveActed: false)
        case let error as HTTPClientError:
            switch error {
            case .cancelled: return Task.isCancelled ? .cancelled : .unavailable(target: target, mayHaveActed: true)
            case .deadlineExceeded, .readTimeout, .writeTimeout: return .deadlineExceeded(target: target)
            case .connectTimeout, .getConnectionFromPoolTimeout:
                return .unavailable(target: target, mayHaveActed: false)
            case .invalidURL, .emptyHost, .emptyScheme:
                return .unreadable(target: target, reason: "its address is not a URL")
            default: return .unavailable(target: target, mayHaveActed: true)
            }
        default: return .unavailable(target: target, mayHaveActed: true)
        }
    }
}
