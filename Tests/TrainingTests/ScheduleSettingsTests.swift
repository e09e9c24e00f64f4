import Engine
import Testing
import Training

@Suite struct ScheduleSettingsTests {
  @Test(
    "a warm-up is so many steps, a share of them, or a tenth that ends at 1,000",
    arguments: [
      (ScheduleSettings.Steps.steps(7), 100, 7), (.share(0.03), 100, 3), (.tenth, 50, 5),
      (.tenth, 50_000, 1000),
    ])
  func warmUp(_ wish: ScheduleSettings.Steps, _ steps: Int, _ expected: Int) {
    var settings = ScheduleSettings()
    settings.warmUp = wish
    let schedule = settings.schedule(steps: steps)
    #expect(schedule.warmUp == expected)
    #expect(schedule.length == steps)
  }
}
