// The log's file: who may read it, what logrotate does with it, and what happens if it does not
// take the lines.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "backend/files/unique_fd.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"

namespace gemel::e2e::log_file_test {
namespace {

namespace fs = std::filesystem;

mode_t ModeOf(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

std::string InfoField(uint16_t port, const std::string& name) {
  const std::string text = Client(port)("INFO").bytes;
  const size_t at = text.find("\n" + name + ":");
  if (at == std::string::npos) return "none";
  const size_t begin = at + name.size() + 2;
  return text.substr(begin, text.find("\r\n", begin) - begin);
}

uint64_t Lost(uint16_t port) {
  const std::string lost = InfoField(port, "log_lines_lost");
  return lost == "none" ? 0 : std::stoull(lost);
}

class LogFile : public testing::Test {
 protected:
  // gemel with a log file of that name, relative to its folder.
  void Start(const std::string& file, const std::string& further = "") {
    log_ = file.starts_with("/") ? file : proxy_.folder() + "/" + file;
    config_ =
        "[proxy]\nwatch_config = false\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
        "\"]\n[log]\n" + (file.empty() ? "" : "file = \"" + file + "\"\n") + further +
        "[[shard]]\nname = \"a\"\nprimary = \"" + node_.address() + "\"\n";
    proxy_.Start(config_);
  }
  // A command that begins gemel with a line of the shell before it.
  void Before(const std::string& line) {
    proxy_.set_prefix({"sh", "-c", line + "; exec \"$@\"", "sh"});
  }
  // One line that says `text`, or several.
  void Say(const std::string& text) {
    Client client(proxy_.port());
    WriteFile(proxy_.config_path(), "[" + text + "]\n" + config_);
    EXPECT_TRUE(client("PROXY", "RELOAD").IsError());
    WriteFile(proxy_.config_path(), config_);
  }
  void Serves() {
    Client client(proxy_.port());
    EXPECT_EQ(client("SET", "k", "v"), "OK");
    EXPECT_EQ(client("GET", "k"), "v");
  }
  // Long lines until some are lost.
  bool SayUntilLost() {
    Client client(proxy_.port());
    std::string bad = config_;
    const size_t log = bad.find("[log]\n") + 6;
    if (bad.substr(log, 4) == "file") bad.erase(log, bad.find('\n', log) + 1 - log);
    bad.insert(log, "file = \"/proc/" + std::string(3000, 'x') + "\"\n");
    WriteFile(proxy_.config_path(), bad);
    const bool lost = Eventually([&] {
      for (int i = 0; i < 50; ++i) client("PROXY", "RELOAD");
      return Lost(proxy_.port()) > 0;
    });
    WriteFile(proxy_.config_path(), config_);
    return lost;
  }

  RedisNode node_;
  ProxyProcess proxy_;
  std::string log_;
  std::string config_;
};

TEST_F(LogFile, OthersCannotReadIt) {
  Before("umask 0");
  Start("logs/deep/gemel.log", "rotate_bytes = \"4kb\"\nrotate_files = 2\n");
  for (int i = 0; i < 60; ++i) Say("line" + std::to_string(i));
  const std::string rotated = proxy_.folder() + "/logs/deep/gemel.1.log";
  ASSERT_TRUE(Eventually([&] { return fs::exists(rotated) && fs::exists(log_); }));
  // One that has just been made may be its owner's alone for a moment.
  EXPECT_TRUE(Eventually([&] { return ModeOf(log_) == 0640u; })) << ModeOf(log_);
  EXPECT_TRUE(Eventually([&] { return ModeOf(rotated) == 0640u; })) << ModeOf(rotated);
  EXPECT_EQ(ModeOf(proxy_.folder() + "/logs"), 0750u);
  EXPECT_EQ(ModeOf(proxy_.folder() + "/logs/deep"), 0750u);
  const std::string state = proxy_.folder() + "/state";
  EXPECT_EQ(ModeOf(state), 0750u);
  for (const auto& entry : fs::directory_iterator(state)) {
    EXPECT_EQ(ModeOf(entry.path()) & 0007, 0u) << entry.path();
  }
}

// A umask that takes everything leaves gemel what it needs itself.
TEST_F(LogFile, AUmaskThatTakesAllIsNoHarm) {
  Before("umask 0777");
  Start("logs/gemel.log");
  EXPECT_EQ(ModeOf(log_), 0600u);
  EXPECT_EQ(ModeOf(proxy_.folder() + "/logs"), 0700u);
  EXPECT_EQ(ModeOf(proxy_.folder() + "/state"), 0700u);
  EXPECT_TRUE(
      Eventually([&] { return ModeOf(proxy_.folder() + "/state/topology.toml") == 0600u; }));
  EXPECT_EQ(proxy_.Stop(), 0);
  proxy_.Restart();
  Serves();
}

TEST_F(LogFile, ModesThatTheOperatorSetStay) {
  const std::string file = proxy_.folder() + "/gemel.log";
  WriteFile(file, "");
  ASSERT_EQ(::chmod(file.c_str(), 0604), 0);
  Start("gemel.log", "rotate_bytes = \"4kb\"\nrotate_files = 2\n");
  for (int i = 0; i < 60; ++i) Say("line" + std::to_string(i));
  ASSERT_TRUE(Eventually([&] { return fs::exists(proxy_.folder() + "/gemel.1.log"); }));
  EXPECT_TRUE(Eventually([&] { return ModeOf(log_) == 0604; })) << std::oct << ModeOf(log_);
}

TEST_F(LogFile, HangupOpensItAnew) {
  Start("gemel.log");
  const std::string old = log_ + ".1";
  fs::rename(log_, old);
  proxy_.Signal(SIGHUP);  // the config is what it was
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(log_), "SIGHUP: the config is what it was"); }));
  const std::string before = ReadFile(old);
  Say("after");
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(log_), "after\""); })) << ReadFile(log_);
  EXPECT_EQ(ReadFile(old), before);
  EXPECT_EQ(ModeOf(log_), 0640u);
  // Nothing keeps the old file on the disk.
  fs::remove(old);
  for (const auto& entry :
       fs::directory_iterator("/proc/" + std::to_string(proxy_.pid()) + "/fd")) {
    std::error_code gone;
    EXPECT_FALSE(Has(fs::read_symlink(entry.path(), gone).string(), old));
  }
}

TEST_F(LogFile, HangupOpensItAnewWithABadConfig) {
  Start("gemel.log");
  fs::rename(log_, log_ + ".1");
  WriteFile(proxy_.config_path(), "[nonsense]\n");
  proxy_.Signal(SIGHUP);
  EXPECT_TRUE(
      Eventually([&] { return Has(ReadFile(log_), "SIGHUP: the config stays as it was"); }));
  fs::rename(log_, log_ + ".1");
  fs::remove(proxy_.config_path());  // not there at all
  EXPECT_TRUE(Client(proxy_.port())("PROXY", "RELOAD").IsError());
  EXPECT_TRUE(fs::exists(log_));  // when the answer comes
  WriteFile(proxy_.config_path(), config_);
}

TEST_F(LogFile, ReloadOpensItAnewInEveryWayOfLogrotate) {
  Start("logs/gemel.log");
  Client client(proxy_.port());
  // create: the next file is there already, with its mode
  fs::rename(log_, log_ + ".1");
  WriteFile(log_, "");
  ASSERT_EQ(::chmod(log_.c_str(), 0600), 0);
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  Say("create");
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(log_), "create\""); }));
  EXPECT_FALSE(Has(ReadFile(log_ + ".1"), "create\""));
  EXPECT_EQ(ModeOf(log_), 0600u);
  // copytruncate: the same file, shorter; nothing is left out and there is no hole
  fs::copy_file(log_, log_ + ".2");
  fs::resize_file(log_, 0);
  Say("copytruncate");
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(log_), "copytruncate\""); }));
  EXPECT_FALSE(Has(ReadFile(log_), std::string(1, '\0')));
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  EXPECT_TRUE(Has(ReadFile(log_), "copytruncate\""));
  // the folder is gone
  fs::remove_all(proxy_.folder() + "/logs");
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  Say("folder");
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(log_), "folder\""); }));
  // a dry run opens nothing
  fs::remove(log_);
  EXPECT_FALSE(client("PROXY", "RELOAD", "DRYRUN").IsError());
  EXPECT_FALSE(fs::exists(log_));
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  EXPECT_TRUE(fs::exists(log_));
}

TEST_F(LogFile, WhatCannotBeOpenedAnewIsSaidAndTriedAgain) {
  Start("gemel.log");
  fs::rename(log_, log_ + ".1");
  fs::create_directory(log_);
  Client client(proxy_.port());
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());  // the config itself is good
  const std::string why = "the log file " + log_ + " cannot be opened anew: it is a folder";
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(log_ + ".1"), why); }));
  EXPECT_TRUE(Has(client("PROXY", "EVENTS").Text(), why));
  EXPECT_TRUE(Has(InfoField(proxy_.port(), "log_error"), "it is a folder"));
  fs::remove(log_);
  EXPECT_TRUE(Eventually([&] { return InfoField(proxy_.port(), "log_error").empty(); }));
  Say("again");
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(log_), "again\""); }));
}

TEST_F(LogFile, ALinkStaysWhenItsFileIsRotated) {
  const std::string folder = proxy_.folder() + "/elsewhere";
  fs::create_directory(folder);
  fs::create_symlink(folder + "/real.log", proxy_.folder() + "/gemel.log");
  Start("gemel.log", "rotate_bytes = \"4kb\"\nrotate_files = 2\n");
  for (int i = 0; i < 60; ++i) Say("line" + std::to_string(i));
  EXPECT_TRUE(Eventually([&] { return fs::exists(folder + "/real.1.log"); }));
  EXPECT_TRUE(fs::is_symlink(log_));
}

// A line that says how many are missing stands where they are.
void ExpectLostIsTold(const std::string& text, uint64_t lost) {
  const size_t end = text.find(" lines were lost: the log did not take them");
  ASSERT_NE(end, std::string::npos) << text.substr(0, 2000);
  const uint64_t told = std::stoull(text.substr(text.rfind(' ', end - 1) + 1));
  EXPECT_GT(told, 0u);
  EXPECT_LE(told, lost);
}

TEST_F(LogFile, APipeThatNobodyReadsBlocksNothing) {
  const std::string fifo = proxy_.folder() + "/pipe";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Start("pipe");
  Serves();
  ASSERT_TRUE(SayUntilLost()) << InfoField(proxy_.port(), "log_lines_lost");
  Serves();
  EXPECT_FALSE(InfoField(proxy_.port(), "log_error").empty());
  // A reader comes, after all.
  const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  std::string text;
  EXPECT_TRUE(Eventually([&] {
    char buffer[65536];
    for (ssize_t n; (n = ::read(reader.get(), buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<size_t>(n));
    }
    return Has(text, "lines were lost");
  }));
  ExpectLostIsTold(text, Lost(proxy_.port()));
  EXPECT_TRUE(Eventually([&] { return InfoField(proxy_.port(), "log_error").empty(); }));
}

TEST_F(LogFile, AFullDiskBlocksNothing) {
  Start("/dev/full");
  Serves();
  EXPECT_TRUE(Eventually([&] { return Lost(proxy_.port()) > 0; }));
  EXPECT_EQ(InfoField(proxy_.port(), "log_error"), "No space left on device");
  Serves();
  EXPECT_EQ(proxy_.Stop(), 0);
}

// A limit on the size of files (SIGXFSZ, EFBIG): the log stops there, nothing else does.
TEST_F(LogFile, ALimitOnFilesEndsNothing) {
  Before("ulimit -f 16");  // 8 kB or 16, as the shell counts
  Start("gemel.log");
  for (int i = 0; i < 400 && Lost(proxy_.port()) == 0; ++i) Say("line" + std::string(100, 'x'));
  EXPECT_GT(Lost(proxy_.port()), 0u);
  EXPECT_EQ(InfoField(proxy_.port(), "log_error"), "File too large");
  Serves();
  // Room again: what is missing is said.
  fs::resize_file(log_, 0);
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(log_), "lines were lost"); }));
  ExpectLostIsTold(ReadFile(log_), Lost(proxy_.port()));
}

TEST_F(LogFile, StderrThatNobodyReadsBlocksNothing) {
  const std::string fifo = proxy_.folder() + "/pipe";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Before("exec 2>" + fifo);
  Start("");
  ASSERT_TRUE(SayUntilLost());
  Serves();
  reader = UniqueFd();  // closed: a write would be a SIGPIPE
  EXPECT_TRUE(Eventually([&] { return InfoField(proxy_.port(), "log_error") == "Broken pipe"; }))
      << InfoField(proxy_.port(), "log_error");
  Serves();
  EXPECT_EQ(proxy_.Stop(), 0);
}

// Without it the next file that is opened would be "stderr", and the log would go into it.
TEST_F(LogFile, ClosedStandardStreamsAreNoHarm) {
  Before("exec 0<&- 1>&- 2>&-");
  Start("");
  Say("something");
  const std::string state = ReadFile(proxy_.folder() + "/state/topology.toml");
  EXPECT_FALSE(Has(state, "something")) << state;
  EXPECT_EQ(ReadFile(proxy_.folder() + "/state/lock"), std::to_string(proxy_.pid()) + "\n");
  for (int fd = 0; fd < 3; ++fd) {
    const std::string link = "/proc/" + std::to_string(proxy_.pid()) + "/fd/" + std::to_string(fd);
    EXPECT_EQ(fs::read_symlink(link).string(), "/dev/null") << fd;
  }
  Serves();
  EXPECT_EQ(proxy_.Stop(), 0);
}

// A reload leads away from a log that hangs.
TEST_F(LogFile, AReloadLeadsAwayFromAPipeThatNobodyReads) {
  const std::string fifo = proxy_.folder() + "/pipe";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Start("pipe");
  ASSERT_TRUE(SayUntilLost());
  config_.replace(config_.find("\"pipe\""), 6, "\"good.log\"");
  WriteFile(proxy_.config_path(), config_);
  EXPECT_FALSE(Client(proxy_.port())("PROXY", "RELOAD").IsError());
  const std::string good = proxy_.folder() + "/good.log";
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(good), "a new config is in effect"); }));
  EXPECT_EQ(proxy_.Stop(), 0);
  EXPECT_TRUE(ReadFile(good).ends_with(" info stopped\n")) << ReadFile(good);
}

}  // namespace
}  // namespace gemel::e2e::log_file_test
