internal import Contracts
internal import Foundation
package import Hummingbird

/// Lets a request through when its sender has proven who they are a short while ago, or ends it with 403011
/// (`step_up_required`): for calls that a stolen token must not make.
package struct StepUpMiddleware: RouterMiddleware {
    private let maxAge: Duration
    private let needsSecondFactor: Bool

    /// - Parameters:
    ///   - maxAge: how long ago the proof (`auth_time`) may be.
    ///   - needsSecondFactor: whether a password alone is too little: `amr` must hold `mfa` (RFC 8176).
    package init(maxAge: Duration, needsSecondFactor: Bool = false) {
        self.maxAge = maxAge
        self.needsSecondFactor = needsSecondFactor
    }

    package func handle(
        _ request: Request, context: AuthenticatedRequestContext, next: Next<AuthenticatedRequestContext>
    ) async throws -> Response {
        guard context.identity.isProven(within: maxAge, bySecondFactor: needsSecondFactor, at: Date()) else {
            throw APIError(.stepUpRequired)
        }
        return try await next(request, context)
    }
}

extension RouterMethods<AuthenticatedRequestContext> {
    /// A group for those who have proven who they are within `maxAge`.
    package func requiring(
        stepUp maxAge: Duration, bySecondFactor: Bool = false, _ path: RouterPath = ""
    ) -> RouterGroup<AuthenticatedRequestContext> {
        group(path).add(middleware: StepUpMiddleware(maxAge: maxAge, needsSecondFactor: bySecondFactor))
    }
}
