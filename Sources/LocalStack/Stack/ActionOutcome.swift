extension StackSupervisor.Action {
    /// What the action leads to, in one sentence. The phase that the supervisor answers with is the one before: a process
    /// takes a while to end or to answer.
    ///
    /// - Parameter unit: the process as it was before.
    package func outcome(for unit: UnitStatus) -> String {
        let name = unit.name
        let isThere = unit.processIdentifier != nil
        switch self {
        case .stop: return "\(name) has stopped; `authms start \(name)` starts it again."
        case .start where isThere: return "\(name) runs already; `authms status` shows how it is."
        case .start: return "\(name) starts; `authms status` shows when it is ready."
        case .restart where isThere:
            return "\(name) has stopped and starts again; `authms status` shows when it is ready."
        case .restart: return "\(name) starts; `authms status` shows when it is ready."
        case .kill where isThere:
            return "\(name) was killed and is started again; `authms status` shows when it is ready."
        case .pause where isThere: return "\(name) is paused; `authms continue \(name)` lets it go on."
        case .continue where unit.phase == .paused: return "\(name) goes on."
        case .continue: return "\(name) was not paused: it is \(unit.phase.rawValue)."
        case .kill, .pause: return "Nothing was done: \(name) is \(unit.phase.rawValue) and has no process."
        }
    }
}
