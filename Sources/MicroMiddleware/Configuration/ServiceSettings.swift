internal import Configuration
internal import SystemPackage

/// The configuration of one process, read strictly and in layers.
///
/// From the highest: command line, environment, mounted secrets directory, `.env`, `service/{service}.yaml` in the
/// configuration directory, the key's own default. A layer that has a malformed value fails the read; it does not let the
/// next one speak.
package struct ServiceSettings: Sendable {
    /// The name of the service: `identity`.
    package let service: String
    private let layers: [Layer]
    /// The service's own configuration file, whether or not it is there; empty for fixed values.
    package let fileName: String

    struct Layer: Sendable {
        /// How the error sentence names the layer.
        let name: String
        let provider: any ConfigProvider
    }

    /// Reads every layer.
    /// - Parameters:
    ///   - arguments: Values by key name, from the command line.
    ///   - environment: The process's environment.
    ///   - configDirectory: The directory that has `service/{service}.yaml`; the file may be missing.
    ///   - environmentFile: The `.env` file; it may be missing.
    /// - Throws: ``ConfigurationError`` when a file exists that cannot be read.
    package static func load(
        service: String, arguments: [String: String] = [:], environment: [String: String],
        configDirectory: String = "configs", environmentFile: String = ".env"
    ) async throws -> ServiceSettings {
        var layers = [
            Layer(name: "the command line", provider: environmentLike(arguments)),
            Layer(name: "the environment", provider: EnvironmentVariablesProvider(environmentVariables: environment)),
        ]
        if let directory = environment[ConfigurationKey<String>.secretsDirectory.summary.environmentName] {
            let provider = try await reading(directory) {
                try await DirectoryFilesProvider(directoryPath: FilePath(directory))
            }
            layers.append(Layer(name: "the secrets directory \(directory)", provider: provider))
        }
        let dotenv = try await reading(environmentFile) {
            try await EnvironmentVariablesProvider(environmentFilePath: FilePath(environmentFile), allowMissing: true)
        }
        layers.append(Layer(name: environmentFile, provider: dotenv))
        let file = "\(configDirectory)/service/\(service).yaml"
        let yaml = try await reading(file) {
            try await FileProvider<YAMLSnapshot>(filePath: FilePath(file), allowMissing: true)
        }
        layers.append(Layer(name: file, provider: yaml))
        return ServiceSettings(service: service, layers: layers, fileName: file)
    }

    /// Settings with these values and nothing else, by key name: for tests and for tools.
    package static func fixed(service: String = "test", _ values: [String: String] = [:]) -> ServiceSettings {
        ServiceSettings(
            service: service, layers: [Layer(name: "the given values", provider: environmentLike(values))],
            fileName: "")
    }

    /// The value of the key, or its default.
    /// - Throws: ``ConfigurationError`` when the value is malformed, or absent while the key has no default.
    package func value<Value>(_ key: ConfigurationKey<Value>) throws -> Value {
        guard let value = try valueIfPresent(key) else { throw ConfigurationError.missing(key.summary) }
        return value
    }

    /// The value of the key, or its default, or `nil` when it has neither.
    /// - Throws: ``ConfigurationError`` when the value is malformed.
    package func valueIfPresent<Value>(_ key: ConfigurationKey<Value>) throws -> Value? {
        for layer in layers {
            guard let text = try text(of: key.summary, in: layer), !text.isEmpty else { continue }
            guard let value = key.parse(text) else {
                throw ConfigurationError.malformed(key.summary, value: text, source: layer.name)
            }
            return value
        }
        return key.defaultValue
    }

    private func text(of key: ConfigurationKeySummary, in layer: Layer) throws -> String? {
        let path = AbsoluteConfigKey(key.name.split(separator: ".").map(String.init))
        if let found = try? layer.provider.value(forKey: path, type: .string) {
            guard case .string(let text)? = found.value?.content else { return nil }
            return text
        }
        do {
            let found = try layer.provider.value(forKey: path, type: .stringArray)
            guard case .stringArray(let texts)? = found.value?.content else { return nil }
            return texts.joined(separator: ",")
        } catch {
            throw ConfigurationError.malformed(key, value: "something that is not a text", source: layer.name)
        }
    }

    /// Values by key name, found the way that environment variables are.
    private static func environmentLike(_ values: [String: String]) -> EnvironmentVariablesProvider {
        let named = values.map { name, value in
            (String(name.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 }), value)
        }
        return EnvironmentVariablesProvider(
            environmentVariables: Dictionary(named, uniquingKeysWith: { _, last in last }))
    }

    private static func reading<Provider>(
        _ source: String, _ make: () async throws -> Provider
    ) async throws -> Provider {
        do {
            return try await make()
        } catch {
            throw ConfigurationError.unreadable(source, reason: "\(error)")
        }
    }
}
