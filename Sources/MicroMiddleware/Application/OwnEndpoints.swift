internal import Contracts
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Synchronization

/// `/livez`, `/readyz` and `/metrics`, which every service has.
struct OwnEndpoints {
    let telemetry: Telemetry
    let health: HealthRegistry

    func addRoutes(to router: Router<BaseRequestContext>) {
        let (telemetry, health) = (telemetry, health)
        let lastStatus = LastStatus()
        router.get("livez") { _, _ in
            Self.response(.ok, Array(#"{"status":"alive"}"#.utf8))
        }
        router.get("readyz") { _, _ in
            let report = await health.report()
            if let before = lastStatus.exchange(report.status) {
                let problems = report.results.compactMap { result in result.problem.map { "\(result.name): \($0)" } }
                telemetry.logger.notice(
                    "readiness went from \(before) to \(report.status)",
                    metadata: problems.isEmpty ? [:] : ["problems": "\(problems.joined(separator: "; "))"])
            }
            return Self.response(report.isReady ? .ok : .serviceUnavailable, report.json())
        }
        router.get("metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: telemetry.metrics.prometheusText())))
        }
    }

    private static func response(_ status: HTTPResponse.Status, _ body: [UInt8]) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json; charset=utf-8", .contentLength: String(body.count)],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    private final class LastStatus: Sendable {
        private let status = Mutex("starting")

        /// The status before, when it was another.
        func exchange(_ new: String) -> String? {
            status.withLock { status in
                defer { status = new }
                return status == new ? nil : status
            }
        }
    }
}

extension Router<BaseRequestContext> {
    /// Makes every path that has a route answer 405 with `Allow` to the methods that it has no route for
    /// (RFC 9110, section 15.5.6); without it they would be 404.
    func answerOtherMethods() {
        var allowed: [String: (path: RouterPath, methods: [HTTPRequest.Method])] = [:]
        for route in routes {
            allowed[route.path.description, default: (route.path, [])].methods.append(route.method)
        }
        for (path, routed) in allowed.values {
            // The router makes the HEAD of every GET by itself.
            let methods = routed.contains(.get) && !routed.contains(.head) ? routed + [.head] : routed
            let allow = methods.map(\.rawValue).sorted().joined(separator: ", ")
            for method in [HTTPRequest.Method.get, .head, .post, .put, .patch, .delete] where !methods.contains(method)
            {
                on(path, method: method) { _, context -> Response in
                    var response = APIError(.methodNotAllowed).response(requestID: context.requestID)
                    response.headers[.allow] = allow
                    return response
                }
            }
        }
    }
}
