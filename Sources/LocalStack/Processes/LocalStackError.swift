/// Why something of the local stack could not be done: one sentence that says what happened, to what, and what to do.
package struct LocalStackError: Error, Equatable, CustomStringConvertible {
    /// What kind of trouble it is; decides the exit code of the command line.
    package enum Kind: Int32, Sendable {
        /// A program, a library or a toolchain is not installed.
        case missingProgram = 69
        /// Another process holds a port or the directory.
        case inUse = 75
        /// The disk is full, or a directory cannot be read or written.
        case storage = 74
        /// A program ended or did not become ready.
        case failedToStart = 70
        /// What was asked for does not exist or makes no sense.
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
