import Foundation

/// What is added to every port: kept at each start, so that commands in other terminals, and the next start, need no
/// `AUTHMS_PORT_OFFSET`.
package enum PortOffset {
    private static func file(_ layout: StackLayout) -> String { "\(layout.runDirectory)/port-offset" }

    /// Writes the offset of a start over that of the one before.
    package static func record(in layout: StackLayout) throws(LocalStackError) {
        try Files.write("\(layout.portOffset)\n", to: file(layout))
    }

    /// The offset of the last start in the layout's directory; nil where there was none.
    static func recorded(in layout: StackLayout) -> Int? {
        Files.read(file(layout)).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    /// The one that the variable asks for; nil where it is not set.
    ///
    /// - Throws: `LocalStackError.usage` when it is no offset.
    static func asked(in environment: [String: String]) throws(LocalStackError) -> Int? {
        guard let text = environment["AUTHMS_PORT_OFFSET"] else { return nil }
        guard let number = Int(text), (-10_000...50_000).contains(number) else {
            throw LocalStackError(
                .usage, "AUTHMS_PORT_OFFSET is \"\(text)\", but must be a whole number from -10000 to 50000.")
        }
        return number
    }

    /// Refuses a layout with other ports than those of the suite that runs there.
    ///
    /// - Throws: `LocalStackError.usage`.
    package static func requireThatOfRunningSuite(_ layout: StackLayout) throws(LocalStackError) {
        guard let recorded = recorded(in: layout), recorded != layout.portOffset, StackLock.isHeld(layout) else {
            return
        }
        throw LocalStackError(
            .usage,
            "AUTHMS_PORT_OFFSET is \(layout.portOffset), but the suite that runs here was started with \(recorded): "
                + "unset the variable, since commands find the suite without it.")
    }
}
