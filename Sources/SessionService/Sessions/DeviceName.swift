/// A short name for a device, for people who look through their sessions.
package enum DeviceName {
    /// `Firefox on Linux`, `Safari on iPhone`, `curl`; `Unknown device` when nothing is known.
    package static func from(_ userAgent: String?) -> String {
        guard let userAgent, !userAgent.isEmpty else { return "Unknown device" }
        if let name = recognised(userAgent) { return name }
        // `curl/8.5.0`, `okhttp/4.12`: the product's name is the first word.
        let product = userAgent.prefix { $0 != "/" && $0 != " " }.prefix(32)
        let isPrintable = product.unicodeScalars.allSatisfy { $0.isASCII && $0.value > 0x20 }
        return product.isEmpty || !isPrintable ? "Unknown device" : String(product)
    }

    /// The same of programs and systems that we have a name for, so that no word of it is the client's own; nil of others.
    package static func recognised(_ userAgent: String?) -> String? {
        guard let userAgent else { return nil }
        let program = programs.first { userAgent.contains($0.mark) }?.name
        let system = systems.first { userAgent.contains($0.mark) }?.name
        guard let program, let system else { return program ?? system }
        return "\(program) on \(system)"
    }

    // The order decides: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari.
    private static let programs: [(mark: String, name: String)] = [
        ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox/", "Firefox"),
        ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
    ]

    private static let systems: [(mark: String, name: String)] = [
        ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
        ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
    ]
}
