// swift-tools-version: 6.2
import PackageDescription

/// Cross-module optimisation replaces thousands of `@inlinable`: an unspecialised generic across
/// modules costs a factor of 20 to 30.
let fast: [SwiftSetting] = [
  .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))
]

let package = Package(
  name: "isthmus",
  products: [
    .executable(name: "convert", targets: ["Convert"]),
    .executable(name: "merge-lora", targets: ["MergeLoRA"]),
    .executable(name: "train", targets: ["Train"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  // In the order of dependency: a target looks only at those above it.
  targets: [
    .systemLibrary(
      name: "CDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
    .systemLibrary(
      name: "CHDF5", pkgConfig: "hdf5-serial", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(
      name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    // Its pkg-config file holds a flag that the package manager warns of.
    .systemLibrary(name: "CUTF8Proc", providers: [.apt(["libutf8proc-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "CLinux"),
    .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .target(
      name: "CKernels", dependencies: ["COneDNN"],
      // Square roots that may set errno do not vectorise. Not every loop vectorises in double, where speed
      // is no matter, and functions of vectors are inlined, so that their calls have no convention.
      cSettings: [.unsafeFlags(["-O3", "-fno-math-errno", "-Wno-pass-failed", "-Wno-psabi"])],
      linkerSettings: [.linkedLibrary("dnnl"), .linkedLibrary("gomp")]),
    // Bytes between the network and files: the one place that sees libcurl and OpenSSL's checksums. Both are
    // loaded when they are needed, so that programs that need neither start as fast as without them.
    .target(name: "CHTTP"),
    .target(name: "JSON", swiftSettings: fast),
    .target(name: "Tensors", dependencies: ["CDeflate", "CLinux"], swiftSettings: fast),
    .target(name: "HDF5", dependencies: ["CHDF5", "Tensors"], swiftSettings: fast),
    .target(name: "HTTP", dependencies: ["CHTTP", "Tensors"], swiftSettings: fast),
    .target(name: "Hub", dependencies: ["CLinux", "HTTP", "JSON", "Tensors"], swiftSettings: fast),
    .target(
      name: "Kernels", dependencies: ["CKernels", "Tensors"], swiftSettings: fast),
    .target(name: "SafeTensors", dependencies: ["JSON", "Tensors"], swiftSettings: fast),
    .target(
      name: "MegatronFormat",
      dependencies: ["JSON", "Tensors", .product(name: "Yams", package: "Yams")],
      swiftSettings: fast),
    .target(
      name: "Tokenizers", dependencies: ["CPCRE2", "CUTF8Proc", "JSON", "Tensors"],
      swiftSettings: fast),
    .target(name: "Jinja", dependencies: ["JSON"], swiftSettings: fast),
    .target(
      name: "Data",
      dependencies: [
        "CZlib", "CZstd", "Jinja", "JSON", "MegatronFormat", "Tensors", "Tokenizers",
        .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: fast),
    .target(name: "Blueprint", dependencies: ["JSON", "Tensors"], swiftSettings: fast),
    .target(name: "Architectures", dependencies: ["Blueprint", "JSON"], swiftSettings: fast),
    .target(
      name: "Engine", dependencies: ["Blueprint", "Kernels", "Tensors"], swiftSettings: fast),
    .target(
      name: "Checkpoints",
      dependencies: ["SafeTensors", "MegatronFormat", "Blueprint", "Architectures", "Hub"],
      swiftSettings: fast),
    .target(
      name: "Adapters",
      dependencies: [
        "Checkpoints", "SafeTensors", "MegatronFormat", "Blueprint", "Hub", "JSON", "Kernels",
        "Tensors",
      ],
      swiftSettings: fast),
    .target(
      name: "Weights",
      dependencies: ["Adapters", "Checkpoints", "Blueprint", "Engine", "Kernels", "Tensors"],
      swiftSettings: fast),
    .target(
      name: "Console",
      dependencies: [
        "Checkpoints", "Hub", "JSON", "Tensors",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: fast),
    .target(name: "Metrics", dependencies: ["CZlib", "JSON", "Tensors"], swiftSettings: fast),
    .target(
      name: "Training",
      dependencies: [
        "Adapters", "Architectures", "Blueprint", "Checkpoints", "Data", "Engine", "Hub", "JSON",
        "Jinja", "Kernels",
        "MegatronFormat", "Metrics", "SafeTensors", "Tensors", "Tokenizers", "Weights",
      ],
      swiftSettings: fast),
    .target(
      name: "Configuration",
      dependencies: [
        "Architectures", "Blueprint", "Checkpoints", "Console", "Data", "Engine", "Hub", "JSON",
        "Kernels", "MegatronFormat", "Metrics", "Tensors", "Tokenizers", "Training",
        .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: fast),
    .executableTarget(
      name: "Convert",
      dependencies: [
        "Console", "Checkpoints", "HDF5", "Hub", "JSON", "Tensors",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: fast),
    .executableTarget(
      name: "MergeLoRA",
      dependencies: [
        "Console", "Adapters", "Checkpoints", "Hub",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: fast),
    .executableTarget(
      name: "Train",
      dependencies: [
        "Adapters", "Blueprint", "Configuration", "Console", "Checkpoints", "Data", "Engine",
        "HDF5", "Jinja",
        "JSON", "Kernels", "MegatronFormat", "Metrics", "SafeTensors", "Tensors", "Tokenizers",
        "Training", "Weights",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: fast),

    .target(name: "Support", dependencies: ["Tensors"], path: "Tests/Support"),
    .target(name: "HubStandIn", dependencies: ["CHTTP"], path: "Tests/HubStandIn"),
    .executableTarget(
      name: "HubStandInServer", dependencies: ["HubStandIn"], path: "Tests/HubStandInServer"),
    .testTarget(name: "HTTPTests", dependencies: ["HTTP", "HubStandIn", "Support", "Tensors"]),
    .testTarget(
      name: "HubTests",
      dependencies: ["CLinux", "Hub", "HTTP", "HubStandIn", "JSON", "Support", "Tensors"]),
    .testTarget(name: "JSONTests", dependencies: ["JSON", "Support"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "Support"]),
    .testTarget(name: "SafeTensorsTests", dependencies: ["SafeTensors", "Support"]),
    .testTarget(name: "HDF5Tests", dependencies: ["HDF5", "Support", "Tensors"]),
    .testTarget(name: "KernelsTests", dependencies: ["CKernels", "Kernels", "Support"]),
    .testTarget(
      name: "MegatronFormatTests", dependencies: ["MegatronFormat", "SafeTensors", "Support"]),
    .testTarget(
      name: "TokenizersTests", dependencies: ["Tokenizers", "JSON", "Support", "Tensors"]),
    .testTarget(name: "JinjaTests", dependencies: ["Jinja", "JSON", "Support"]),
    .testTarget(
      name: "DataTests",
      dependencies: ["Data", "Jinja", "JSON", "MegatronFormat", "Support", "Tokenizers"]),
    .testTarget(name: "BlueprintTests", dependencies: ["Blueprint", "JSON", "Support"]),
    .testTarget(
      name: "ArchitecturesTests",
      dependencies: ["Architectures", "JSON", "SafeTensors", "Support"]),
    .testTarget(
      name: "CheckpointsTests", dependencies: ["Checkpoints", "Hub", "HubStandIn", "Support"]),
    .testTarget(name: "AdaptersTests", dependencies: ["Adapters", "Support"]),
    .testTarget(
      name: "EngineTests",
      dependencies: [
        "Engine", "Architectures", "Checkpoints", "SafeTensors", "Support", "Weights",
      ]),
    .testTarget(
      name: "MetricsTests", dependencies: ["CZlib", "Metrics", "JSON", "Support", "Tensors"]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Adapters", "Architectures", "Blueprint", "Checkpoints", "Data", "Engine",
        "JSON", "Kernels",
        "MegatronFormat", "Metrics", "SafeTensors", "Support", "Tensors", "Weights",
      ]),
    .testTarget(
      name: "ConfigurationTests",
      dependencies: [
        "Configuration", "Architectures", "Blueprint", "Data", "Engine", "JSON", "Support",
        "Training",
      ]),
    .testTarget(name: "ConsoleTests", dependencies: ["Console", "Hub", "Support"]),
    .testTarget(
      name: "ConvertTests",
      dependencies: ["Convert", "HDF5", "Hub", "HubStandIn", "JSON", "Support"]),
    .testTarget(
      name: "MergeLoRATests", dependencies: ["MergeLoRA", "HubStandIn", "Support"]),
    .testTarget(
      name: "WeightsTests",
      dependencies: [
        "Weights", "Adapters", "Blueprint", "Checkpoints", "Engine", "Kernels", "SafeTensors",
        "Support", "Tensors",
      ]),
    .testTarget(
      name: "TrainTests",
      dependencies: [
        "Train", "Blueprint", "Checkpoints", "Data", "Engine", "HDF5", "Kernels", "SafeTensors",
        "Tensors", "Support", "Weights",
      ]),
  ],
  swiftLanguageModes: [.v6]
)
