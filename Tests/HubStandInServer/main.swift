import Foundation
import HubStandIn

do {
  try Server(CommandLine.arguments.dropFirst()).run()
} catch {
  FileHandle.standardError.write(Data("HubStandInServer: \(error)\n".utf8))
  exit(2)
}
