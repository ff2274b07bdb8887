package import Hummingbird

/// The rest of the chain, as a middleware gets it.
///
/// Hummingbird is built without `NonisolatedNonsendingByDefault`: its async functions run on the global executor, and a
/// middleware of ours must say so to satisfy the protocol.
package typealias Next<Context> = @concurrent (Request, Context) async throws -> Response
