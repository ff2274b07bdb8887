#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What to start, and how it ends.
package struct ProcessSpecification: Sendable {
    /// The name that status lines and sentences use.
    package var name: String
    /// The absolute path of the program.
    package var executable: String
    package var arguments: [String]
    /// The whole environment: nothing is inherited but what is in here.
    package var environment: [String: String]
    package var workingDirectory: String
    /// Where standard output and standard error are appended to.
    package var logFile: String
    /// The account to run under; nil for our own.
    package var account: SystemAccount?
    /// Lets `account` walk directories closed to it (a checkout under `/root`, for example).
    package var bypassesDirectoryPermissions = false
    /// The signal that asks the program to end in order.
    package var stopSignal: CInt = SIGTERM
    /// The signal that the kernel sends when the process that started this one dies.
    package var orphanSignal: CInt = SIGKILL

    package init(
        name: String, executable: String, arguments: [String], environment: [String: String],
        workingDirectory: String, logFile: String
    ) {
        self.name = name
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.logFile = logFile
    }

    /// The program and its arguments as they are executed: behind `setpriv`, which changes the account and has the
    /// kernel end the program with its parent.
    ///
    /// `PR_SET_PDEATHSIG` speaks of the parent *thread*. That is why programs are started through swift-subprocess, whose one
    /// spawning thread lives as long as the process; a thread of Swift's or of Dispatch's pool may end earlier and would take
    /// the children with it.
    package func commandLine() throws(LocalStackError) -> (executable: String, arguments: [String]) {
        #if os(Linux)
            var wrapped = ["--pdeathsig", Self.name(of: orphanSignal)]
            if let account {
                wrapped += ["--reuid", account.name, "--regid", "\(account.groupID)", "--init-groups"]
                if bypassesDirectoryPermissions {
                    // Root's power to walk any directory, kept across the change of account.
                    wrapped += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
                }
            }
            return (try ProgramFinder.find("setpriv", package: "util-linux"), wrapped + ["--", executable] + arguments)
        #else
            return (executable, arguments)
        #endif
    }

    private static func name(of signal: CInt) -> String {
        switch signal {
        case SIGINT: "INT"
        case SIGQUIT: "QUIT"
        case SIGTERM: "TERM"
        default: "KILL"
        }
    }
}
