import Foundation
import HDF5
import Support
import Tensors
import Testing

private let layouts = Support.fixtures.appending(path: "hdf5/layouts.h5").path

/// What `fixtures/hdf5/generate.py` wrote: name, shape, and whether the numbers are whole.
private let expected: [(String, Shape, Bool)] = [
  ("deep/big_endian", [5], false), ("deep/double", [4, 2], false),
  ("deep/er/chunked", [6, 7], false), ("deep/half", [8], false), ("empty", [0, 4], false),
  ("plain", [3, 4, 5], false), ("scalar", [], false), ("whole/narrow", [6], true),
  ("whole/wide", [2, 3], true),
]

@Suite struct HDF5ReadingTests {
  @Test func datasetsAreListedWithTheirShapesAndACircleOfLinksEnds() throws {
    let file = try HDF5File(layouts)
    #expect(file.datasets.map(\.name) == expected.map(\.0))
    #expect(file.datasets.map(\.shape) == expected.map(\.1))
  }

  @Test(arguments: expected)
  func numbersOfEveryLayoutAreRead(_ name: String, _ shape: Shape, _ isWhole: Bool) throws {
    let file = try HDF5File(layouts)
    let dtype = try #require(file[name]).dtype
    let runs = try file.runs(of: name)
    if isWhole {
      let values = try #require(try runs.integers(dtype: dtype))
      #expect(values == (0..<shape.count).map { Int64($0) - 3 })
    } else {
      #expect(try runs.floats(dtype: dtype) == (0..<shape.count).map { Float($0) / 4 - 3 })
    }
  }

  @Test func aDatasetThatIsNotThereIsNamed() throws {
    let file = try HDF5File(layouts)
    #expect(throws: HDF5Error.noSuchDataset(file: layouts, dataset: "nothing")) {
      try file.runs(of: "nothing")
    }
  }

  @Test func wordsAreNoNumbers() throws {
    let path = Support.fixtures.appending(path: "hdf5/text.h5").path
    #expect(throws: HDF5Error.noNumbers(file: path, dataset: "words")) { try HDF5File(path) }
  }

  @Test func whatIsNoHDF5IsRefusedWithItsPath() throws {
    let path = Support.fixtures.appending(path: "hdf5/generate.py").path
    #expect {
      try HDF5File(path)
    } throws: { error in
      "\(error)".hasPrefix("\(path) cannot be read as HDF5: ")
    }
  }

  @Test func aFileCutShortIsRefused() throws {
    try Support.withTemporaryFolder { folder in
      let bytes = try Data(contentsOf: URL(filePath: layouts))
      for length in [0, 4, 100, 2000] {
        let path = folder.appending(path: "short.h5")
        try bytes.prefix(length).write(to: path)
        #expect(throws: HDF5Error.self) { try HDF5File(path.path) }
      }
    }
  }
}

@Suite struct HDF5WritingTests {
  private func floats(_ count: Int) -> [Float] { (0..<count).map { Float($0) * 0.5 } }

  @Test func whatIsWrittenInPiecesIsReadWhole() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "out.h5").path
      let all = floats(3 * 4 * 5)
      // Pieces that end at rows, in rows, and at the ends of planes.
      for sizes in [
        [60], [20, 40], [5, 10, 45], [1, 18, 1, 23, 17], [Int](repeating: 7, count: 8) + [4],
      ] {
        let writer = try HDF5Writer(path)
        let dataset = try writer.dataset("group/inner/numbers", shape: [3, 4, 5])
        var start = 0
        for size in sizes {
          try dataset.append(Array(all[start..<start + size]))
          start += size
        }
        try writer.write(1.5, to: "loss")
        try writer.write([7, -8, 1 << 40], to: "tokens", shape: [3])
        try writer.finish()
        let file = try HDF5File(path)
        #expect(file.datasets.map(\.name) == ["group/inner/numbers", "loss", "tokens"])
        #expect(file.datasets.map(\.shape) == [[3, 4, 5], [], [3]])
        #expect(try file.runs(of: "group/inner/numbers").floats(dtype: .float32) == all)
        #expect(try file.runs(of: "loss").floats(dtype: .float32) == [1.5])
        #expect(try file.runs(of: "tokens").integers(dtype: .int64) == [7, -8, 1 << 40])
      }
    }
  }

  @Test func namesWithDotsAreNoGroups() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "out.h5").path
      let writer = try HDF5Writer(path)
      let name = "gradients/model.layers.0.mlp.up_proj.weight"
      try writer.dataset(name, shape: [2]).append([1, 2])
      try writer.finish()
      #expect(try HDF5File(path).datasets.map(\.name) == [name])
    }
  }

  @Test func nothingIsLeftOfAFileThatIsNotFinishedAndTheOldOneStays() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "out.h5")
      try Data("old".utf8).write(to: path)
      func write() throws {
        let writer = try HDF5Writer(path.path)
        try writer.write(1, to: "loss")
        #expect(names(in: folder).count == 2)
      }
      try write()
      #expect(names(in: folder) == ["out.h5"])
      #expect(try Data(contentsOf: path) == Data("old".utf8))
    }
  }

  @Test func aPlaceThatCannotBeWrittenIsNamed() throws {
    try Support.withTemporaryFolder { folder in
      for place in ["missing/out.h5", ""] {
        let path = folder.appending(path: place).path
        #expect {
          try HDF5Writer(path)
        } throws: { error in
          "\(error)".contains("cannot be written") && "\(error)".contains(path)
        }
      }
    }
  }

  @Test(.enabled(if: Support.canMountDisks))
  func aFullDiskIsAnErrorAndLeavesNothing() throws {
    try Support.withSmallDisk(bytes: 1 << 20) { disk in
      let writer = try HDF5Writer(disk.appending(path: "out.h5").path)
      #expect {
        let dataset = try writer.dataset("large", shape: [1 << 20])
        try dataset.append([Float](repeating: 1, count: 1 << 20))
        try writer.finish()
      } throws: { error in
        "\(error)".contains("No space left on device")
      }
      writer.discard()
      #expect(names(in: disk).isEmpty)
    }
  }
}
