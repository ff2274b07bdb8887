/// stub
package final class ConnectionPool<Connection: AnyObject & Sendable>: Sendable {
    package struct Lease: Sendable {
        package let connection: Connection
        package let number: UInt64
    }
    package init() {}
    package func maintain() {}
    package func drain(until deadline: Deadline) async {}
    package func close() async {}
    package var isAvailable: Bool { true }
}
