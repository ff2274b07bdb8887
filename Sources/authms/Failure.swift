import AuditService
import Bench
import Foundation
import Gateway
import LocalStack
import MicroMiddleware
import NIOCore
import Passwords
import Postgres
import RabbitMQ
import Recovery
import Redis

/// What a command ends with when something of ours is wrong: one sentence, and an exit code that says what kind of trouble
/// it is (those of `sysexits.h`, and 3 for "nothing runs").
struct Failure {
    let sentence: String
    let code: Int32

    /// For `authms --help`.
    static let codes = """
        Exit codes: 0 done; 1 what was asked for is not so, is not there or was refused (not ready, a broken promise, an \
        altered record, no such user); 3 the suite does not run; 64 wrong usage; 69 a program or a server is not there; 70 \
        something ended that should run; 74 the disk is full, or a file cannot be used; 75 a port or a directory is in use; \
        78 the configuration, or what a database was migrated to, cannot be used.
        """

    /// Nil for errors that are not ours to explain, such as a command line that cannot be parsed.
    init?(_ error: any Error) {
        let text = "\(error)"
        sentence = [".", "?", ")"].contains { text.hasSuffix($0) } ? text : text + "."
        switch error {
        case let error as LocalStackError: code = error.kind.rawValue
        case let error as Obstacle: code = Failure(error.cause)?.code ?? Self.software
        case is ExportError, MigrationError.unreadable, MigrationError.empty:
            code = LocalStackError.Kind.storage.rawValue
        case is ConfigurationError, is KeyRingError, is RouteError, is PostgresConfigurationError,
            is PasswordHashingError:
            code = Self.configuration
        case let error as RabbitMQError:
            code = error.kind == .invalidConfiguration ? Self.configuration : Self.unavailable
        case let error as RedisError:
            code = error.kind == .invalidConfiguration ? Self.configuration : Self.unavailable
        case let error as PostgresError: code = error.isUnavailable ? Self.unavailable : Self.software
        case let error as MigrationError: code = error.isUnavailable ? Self.unavailable : Self.configuration
        case is DrillError, is BenchFailure: code = Self.software
        case let error as IOError where error.errnoCode == EADDRINUSE: code = LocalStackError.Kind.inUse.rawValue
        case let error as IOError where error.errnoCode == EACCES: code = LocalStackError.Kind.storage.rawValue
        default: return nil
        }
    }

    private static let unavailable: Int32 = LocalStackError.Kind.unavailable.rawValue
    private static let software: Int32 = 70
    private static let configuration: Int32 = 78
}

/// What an error kept a command from: told together, and of the kind that the error is.
struct Obstacle: Error, CustomStringConvertible {
    /// The beginning of the sentence: "The audit database cannot be read".
    let what: String
    let cause: any Error

    var description: String { "\(what): \(cause)" }
}
