/// Why something of the local stack could not be done: one sentence that says what happened, to what, and what to do.
package struct LocalStackError: Error, Equatable, CustomStringConvertible {
    /// What kind of trouble it is; decides the exit code of the command line.
    package enum Kind: Int32, Sendable {
        /// What was asked for is not there, or was refused by whoever was asked.
        case refused = 1
        /// A program, a library or a toolchain is not installed, or a server does not answer as it should.
        case unavailable = 69
        /// Another process holds a port or the directory.
        case inUse = 75
        /// The disk is full, or a file or a directory cannot be used.
        case storage = 74
        /// A program ended or did not become ready.
        case failedToStart = 70
        /// What was asked for makes no sense.
        case usage = 64
        /// Nothing runs that could answer.
        case notRunning = 3
    }

    package let kind: Kind
    package let description: String

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
