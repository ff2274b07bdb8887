internal import ConnectionKit
internal import Contracts
package import Hummingbird
internal import Logging
internal import NIOCore

/// Turns whatever a handler throws into the answer that the contract has for it. The innermost of the common middleware,
/// so that what is logged and counted is what the client gets.
package struct ErrorMappingMiddleware: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request, context: BaseRequestContext,
        next: Next<BaseRequestContext>
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            let mapped = Self.map(error, context: context)
            if mapped.code.status >= 500 {
                context.log.log(
                    level: mapped.code == .internal ? .error : .warning, "the request failed",
                    metadata: [
                        "code": "\(mapped.code.value)", "path": "\(request.uri.path)",
                        "error": "\(String(describing: error))", "error_type": "\(String(describing: type(of: error)))",
                    ])
            }
            if mapped.code.status < 500, context.logger.logLevel <= .debug {
                context.log.debug(
                    "the request was refused", metadata: ["code": "\(mapped.code.value)", "error": "\(error)"])
            }
            return mapped.response(requestID: context.requestID)
        }
    }

    /// The failure as the client may see it.
    static func map(_ error: any Error, context: BaseRequestContext) -> APIError {
        switch error {
        case let error as APIError: error
        case let error as any APIErrorConvertible: error.apiError
        case let error as DecodingError: APIError(error)
        case let error as HTTPError: map(error)
        case is NIOTooManyBytesError: APIError(.bodyTooLarge)
        case is CancellationError where context.deadline.hasPassed: APIError(.deadlineExceeded)
        default: APIError(.internal)
        }
    }

    private static func map(_ error: HTTPError) -> APIError {
        switch error.status.code {
        case 401: APIError(.tokenInvalid)
        case 403: APIError(.permissionDenied)
        case 404: APIError(.notFound)
        case 405: APIError(.methodNotAllowed)
        case 413: APIError(.bodyTooLarge)
        case 415: APIError(.unsupportedMediaType)
        case 422: APIError(.validationFailed, error.body)
        case 400..<500: APIError(.badRequest, error.body)
        default: APIError(.internal)
        }
    }
}
