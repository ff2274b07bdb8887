// swift-tools-version: 6.2

import PackageDescription

/// The rules of the house for every Swift target: strict language mode, and a warning is an error.
let houseRules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .treatAllWarnings(as: .error),
]

// MARK: - Products of other packages, by the name that the targets below use

let algorithms: Target.Dependency = .product(name: "AsyncAlgorithms", package: "swift-async-algorithms")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let collections: Target.Dependency = .product(name: "Collections", package: "swift-collections")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let jwt: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nio: [Target.Dependency] = [
    nioCore,
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOTLS", package: "swift-nio"),
    .product(name: "NIOHTTP2", package: "swift-nio-http2"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
    .product(name: "NIOEmbedded", package: "swift-nio"),
]

// MARK: - What a service library may use, and nothing else

let serviceDependencies: [Target.Dependency] = [
    "MicroMiddleware", "Contracts", "ConnectionKit", "Postgres", "Redis", "RabbitMQ",
    hummingbird, httpTypes, lifecycle, logging, configuration, nioCore,
]

/// Swift's own libraries go into the program: a process maps only what it uses of them, which saves every service some
/// 10 MiB of memory, and the image needs no Swift. The libraries behind Foundation are named since only `-static-stdlib`
/// at compile time would link them by themselves, and that would split the build that program and tests share.
let staticStandardLibrary: [LinkerSetting] = [
    .unsafeFlags(
        ["-static-stdlib", "-lCoreFoundation", "-l_FoundationICU", "-l_FoundationCShims", "-l_FoundationCollections"],
        .when(platforms: [.linux]))
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: houseRules)
}

/// What the tests are made of is compiled as it stands: to optimise it takes the compiler twice as long as that, which a
/// first `make test` waits for, and what they test is optimised in any case.
let testRules = houseRules + [.unsafeFlags(["-Onone"])]

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies + ["TestSupport"], swiftSettings: testRules)
}

let package = Package(
    name: "authms",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "authms", targets: ["authms"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML", "Reloading"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // C clients: a module map and a shim, nothing else.
        .systemLibrary(name: "CLibPQ", path: "Sources/CLibPQ"),
        .systemLibrary(name: "CHiredis", path: "Sources/CHiredis"),
        .systemLibrary(name: "CRabbitMQ", path: "Sources/CRabbitMQ"),
        .systemLibrary(name: "CSodium", path: "Sources/CSodium"),
        .systemLibrary(name: "CImages", path: "Sources/CImages"),
        .systemLibrary(name: "CCurl", path: "Sources/CCurl"),
        .systemLibrary(name: "CQRCode", path: "Sources/CQRCode"),
        .systemLibrary(name: "CFido2", path: "Sources/CFido2"),

        // The C sources of ours: memory that libsodium hashes in, which only an interposed mmap can give it, and a system call
        // that Swift cannot make.
        .target(name: "CLentMemory"),
        .target(name: "CScheduling"),

        // Drivers: each the only importer of its C client.
        library("ConnectionKit", [logging, collections]),
        library("Postgres", ["CLibPQ", "ConnectionKit", crypto, logging, lifecycle]),
        library("Redis", ["CHiredis", "ConnectionKit", collections, logging, lifecycle]),
        library("RabbitMQ", ["CRabbitMQ", "ConnectionKit", collections, logging, lifecycle]),
        library("Images", ["CImages", "ConnectionKit"]),
        library("Mail", ["CCurl", "ConnectionKit"]),
        library("Passwords", ["CSodium", "CLentMemory", "CScheduling", "ConnectionKit", logging]),
        library("QRCodes", ["CQRCode"]),
        library("Passkeys", ["CFido2", crypto]),

        // What every service shares, and what services say to each other.
        library("Contracts", []),
        library(
            "MicroMiddleware",
            [
                "Contracts", "ConnectionKit", "Postgres", "Redis", "RabbitMQ", algorithms, collections,
                configuration, crypto, httpClient, httpTypes, hummingbird, jwt, lifecycle, logging, metrics,
                nioCore, system, yams,
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ]),

        // The services.
        library(
            "IdentityService", serviceDependencies + ["Passwords", "Mail", crypto, httpClient, mustache, nioHTTP1]),
        library("SessionService", serviceDependencies + [crypto]),
        library("ProfileService", serviceDependencies + ["Images", crypto]),
        library("MFAService", serviceDependencies + ["Passkeys", "QRCodes", crypto]),
        library("AuditService", serviceDependencies + [crypto]),
        library(
            "Gateway",
            [
                "MicroMiddleware", "Contracts", "ConnectionKit", "Redis", "RabbitMQ", configuration, crypto,
                httpTypes, lifecycle, logging, yams,
            ] + nio),

        // The operator's side.
        library(
            "LocalStack",
            [
                "ConnectionKit", "Contracts", httpClient, hummingbird, lifecycle, logging, nioCore,
                .product(name: "NIOHTTP1", package: "swift-nio"), subprocess, system,
            ]),
        library(
            "Recovery",
            [
                "ConnectionKit", "LocalStack", "Postgres", crypto, httpClient, hummingbird, lifecycle, logging, nioCore,
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        library(
            "Bench",
            [
                "AuditService", "ConnectionKit", "Contracts", "Gateway", "LocalStack", "MicroMiddleware", "Passwords",
                "Postgres", "Recovery", "Redis", crypto, httpClient, hummingbird, httpTypes, lifecycle, logging,
                subprocess, system,
            ] + nio),
        .executableTarget(
            name: "authms",
            dependencies: [
                "IdentityService", "SessionService", "ProfileService", "MFAService", "AuditService", "Gateway",
                "LocalStack", "Bench", "Recovery", "MicroMiddleware", "Contracts", "ConnectionKit", "Mail", "Postgres",
                "Redis", "RabbitMQ", argumentParser, httpClient, jwt, lifecycle, logging, nioCore,
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: houseRules,
            linkerSettings: staticStandardLibrary),

        // Tests: one target a library, and the suites that need all of it.
        .target(
            name: "TestSupport",
            dependencies: ["LocalStack", "ConnectionKit", "Postgres", logging],
            path: "Tests/TestSupport", swiftSettings: testRules),
        tests("ConnectionKit", ["ConnectionKit", logging]),
        tests("Postgres", ["Postgres", "ConnectionKit", lifecycle, logging]),
        tests("Redis", ["Redis", "ConnectionKit", logging]),
        tests("RabbitMQ", ["RabbitMQ", "ConnectionKit", lifecycle, logging]),
        tests("Images", ["Images", "ConnectionKit"]),
        tests("Passwords", ["Passwords", "ConnectionKit"]),
        tests("Mail", ["Mail", "ConnectionKit"]),
        tests(
            "MicroMiddleware",
            [
                "MicroMiddleware", "Contracts", "ConnectionKit", "Postgres", "Redis", "RabbitMQ", crypto, httpClient,
                hummingbird, .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "HummingbirdTesting", package: "hummingbird"), configuration, httpTypes, lifecycle,
                logging, nioCore, jwt,
            ]),
        tests(
            "Gateway",
            [
                "Gateway", "LocalStack", "MicroMiddleware", "Contracts", "ConnectionKit", httpClient, hummingbird,
                httpTypes, lifecycle, logging,
            ] + nio),
        tests(
            "IdentityService",
            [
                "IdentityService", "MicroMiddleware", "Contracts", "ConnectionKit", "Mail", "Passwords", "Postgres",
                "Redis", crypto, logging,
            ] + nio),
        tests(
            "SessionService",
            [
                "SessionService", "MicroMiddleware", "Contracts", "ConnectionKit", "Postgres", crypto, logging,
            ]),
        tests(
            "ProfileService",
            [
                "ProfileService", "MicroMiddleware", "Contracts", "ConnectionKit", "Images", "Postgres", logging,
            ]),
        tests(
            "MFAService",
            [
                "MFAService", "Passkeys", "QRCodes", "MicroMiddleware", "Contracts", "ConnectionKit", "Postgres",
                logging,
            ]),
        tests(
            "AuditService",
            [
                "AuditService", "MicroMiddleware", "Contracts", "ConnectionKit", "Postgres", "RabbitMQ", hummingbird,
                httpClient, nioCore, .product(name: "NIOHTTP1", package: "swift-nio"), lifecycle, logging,
            ]),
        tests(
            "APIDocument",
            [
                "IdentityService", "SessionService", "ProfileService", "MFAService", "AuditService", "Gateway",
                "MicroMiddleware", "Contracts", .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        tests("LocalStack", ["LocalStack", "ConnectionKit", logging]),
        tests("Bench", ["Bench", "Recovery"]),
        tests(
            "Recovery",
            [
                "Recovery", "LocalStack", "ConnectionKit", nioCore, .product(name: "NIOPosix", package: "swift-nio"),
            ]),
    ]
)
