// The log: what is left out, the rotation of its file, and what several threads may do with it.

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "proxy/log/event_log.h"
#include "proxy/log/line_limit.h"
#include "proxy/log/log.h"
#include "tests/e2e/child_process.h"
#include "tests/e2e/wait.h"

namespace gemel {
namespace {

using e2e::ReadFile;

class LogTest : public testing::Test {
 protected:
  void Open(LogLevel level, uint64_t rotate_bytes = 64 << 20, uint32_t rotate_files = 5) {
    LogConfig config;
    config.level = level;
    config.file = file();
    config.rotate_bytes = rotate_bytes;
    config.rotate_files = rotate_files;
    std::string error;
    ASSERT_TRUE(OpenLog(config, &error)) << error;
  }
  void TearDown() override {
    std::string error;
    const std::shared_ptr<NextLog> next = PrepareLog({}, &error);
    ASSERT_TRUE(next) << error;
    UseLog(next);
  }
  std::string file() const { return folder_.path() + "/gemel.log"; }
  std::string Rotated(int number) const {
    return folder_.path() + "/gemel." + std::to_string(number) + ".log";
  }
  // How many lines of the file have `part` in them.
  size_t Count(const std::string& part) const {
    FlushLog();
    std::istringstream text(ReadFile(file()));
    size_t count = 0;
    for (std::string line; std::getline(text, line);) {
      if (line.find(part) != std::string::npos) ++count;
    }
    return count;
  }
  // The sum of what the lines "N lines were not logged" say.
  size_t Told() const {
    FlushLog();
    std::istringstream text(ReadFile(file()));
    size_t sum = 0;
    for (std::string line; std::getline(text, line);) {
      const size_t end = line.find(" lines were not logged: too many");
      if (end == std::string::npos) continue;
      sum += std::stoul(line.substr(line.rfind(' ', end - 1) + 1));
    }
    return sum;
  }

  // Lines that are let through, whatever this test or another logged a moment before.
  void UseUpTheSecond() {
    for (uint32_t i = 0; i < 20 * LineLimit::kLinesPerSecond; ++i) Log(NoteLevel::kError, "flood");
  }

  e2e::TempFolder folder_;
};

TEST_F(LogTest, WhatIsLeftOutIsCounted) {
  Open(LogLevel::kInfo);
  // What other tests left out is told first.
  ASSERT_TRUE(e2e::Eventually([&] {
    Log(NoteLevel::kInfo, "begin");
    return Count("begin") > 0;
  }));
  const size_t before = Told();
  size_t said = 0;
  const auto say = [&] {
    Log(NoteLevel::kInfo, "said " + std::to_string(said++));
    return Count(" info said ");
  };
  while (said < 20 * LineLimit::kLinesPerSecond) say();
  ASSERT_LT(Count(" info said "), said);
  // As soon as one is written again, all are accounted for.
  ASSERT_TRUE(e2e::Eventually([&] {
    say();
    return Count(" said " + std::to_string(said - 1)) == 1 && Told() > before;
  }));
  EXPECT_EQ(Count(" info said ") + Told() - before, said);
}

TEST_F(LogTest, LinesOfALevelThatIsOffTakeNoPlace) {
  Open(LogLevel::kError);
  ASSERT_TRUE(e2e::Eventually([&] {  // there is room
    Log(NoteLevel::kError, "begin");
    return Count("begin") > 0;
  }));
  for (uint32_t i = 0; i < 20 * LineLimit::kLinesPerSecond; ++i) Log(NoteLevel::kInfo, "off");
  Log(NoteLevel::kError, "on");
  EXPECT_EQ(Count(" on"), 1u);
  EXPECT_EQ(Count(" off"), 0u);
}

TEST_F(LogTest, WhatIsAlwaysLoggedIs) {
  Open(LogLevel::kInfo);
  UseUpTheSecond();
  for (int i = 0; i < 1000; ++i) LogAlways(NoteLevel::kWarn, "promoted " + std::to_string(i));
  EXPECT_EQ(Count(" promoted "), 1000u);
}

TEST_F(LogTest, TheFileIsRotated) {
  constexpr uint64_t kBytes = 1000;
  Open(LogLevel::kInfo, kBytes, 2);
  for (int i = 0; i < 100; ++i) {
    LogAlways(NoteLevel::kInfo, "line " + std::to_string(i) + " " + std::string(40, 'x'));
  }
  FlushLog();
  EXPECT_EQ(Count(" line 99 "), 1u);
  EXPECT_EQ(Count(" line 0 "), 0u);
  for (const std::string& name : {file(), Rotated(1), Rotated(2)}) {
    ASSERT_TRUE(std::filesystem::exists(name)) << name;
    EXPECT_LE(std::filesystem::file_size(name), kBytes) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(Rotated(3)));
  // Each begins where the older one ends.
  const std::string text = ReadFile(Rotated(2)) + ReadFile(Rotated(1)) + ReadFile(file());
  const size_t first = std::stoul(text.substr(text.find(" line ") + 6));
  size_t lines = 0;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line); ++lines) {
    EXPECT_NE(line.find(" line " + std::to_string(first + lines) + " "), std::string::npos) << line;
  }
  EXPECT_EQ(first + lines, 100u);
}

TEST_F(LogTest, NoTextBreaksALine) {
  Open(LogLevel::kInfo);
  const std::string text = "said\r\nforged\x1b[2J\xff\u009b\u202e {} %s Gr\u00fc\u00dfe";
  LogAlways(NoteLevel::kWarn, text);
  ASSERT_TRUE(e2e::Eventually([&] {
    Log(NoteLevel::kInfo, text);
    return Count(" info said") > 0;
  }));
  EXPECT_EQ(Count("said\\r\\nforged\\x1b[2J\\xff\\xc2\\x9b\\xe2\\x80\\xae {} %s Gr\u00fc\u00dfe"),
            Count("said"));
  EXPECT_EQ(Count("forged"), Count("said"));
}

TEST_F(LogTest, TakesManyThreads) {
  Open(LogLevel::kInfo);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int j = 0; j < 500; ++j) {
        Log(NoteLevel::kInfo, "maybe");
        LogAlways(NoteLevel::kInfo, "always");
      }
    });
  }
  // As a reload does meanwhile.
  LogConfig config;
  config.file = file();
  std::string error;
  for (int i = 0; i < 20; ++i) {
    const std::shared_ptr<NextLog> next = PrepareLog(config, &error);
    ASSERT_TRUE(next) << error;
    UseLog(next);
    EXPECT_TRUE(ReopenLog(&error)) << error;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Count(" always"), 2000u);
}

TEST(EventLog, TakesManyThreads) {
  EventLog log;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&log] {
      for (int j = 0; j < 1000; ++j) {
        log.Add(j, NoteLevel::kInfo, "shard 'a': x");
        EXPECT_LE(log.Last(5).size(), 5u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(log.Last(2000).size(), EventLog::kKept);
}

}  // namespace
}  // namespace gemel
