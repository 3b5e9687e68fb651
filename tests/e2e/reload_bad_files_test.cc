// A bad file changes nothing at all, and where it is wrong is told wherever one would look.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "tests/e2e/look.h"
#include "tests/e2e/moving_load.h"
#include "tests/e2e/reload_world.h"

namespace gemel::e2e::reload_bad_files_test {
namespace {

class ReloadBadFile : public testing::Test {
 protected:
  ReloadBadFile() : world_({.shards = 2, .copies = 1}), load_(world_.port(), {.threads = 2}) {}
  void TearDown() override {
    EXPECT_TRUE(load_.WaitForMore(100));
    load_.Stop();
    load_.Verify();
  }

  std::string path() { return world_.proxy().config_path(); }
  // "FILE:LINE:COLUMN: ...", of this file.
  bool BeginsWithPlace(const std::string& error) {
    int line = 0;
    int column = 0;
    char more = 0;
    return error.starts_with(path() + ":") &&
           std::sscanf(error.c_str() + path().size(), ":%d:%d: %c", &line, &column, &more) == 3 &&
           line > 0 && column > 0;
  }
  // With one more setting, so that a part of it that took effect would be seen.
  std::string GoodText() {
    ConfigFile file = world_.file();
    file.options["read"]["from"] = "\"replica\"";
    return file.Text();
  }
  // How many lines the text has up to and with the one that holds `part`.
  static std::string LineOf(const std::string& text, const std::string& part) {
    const size_t at = text.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    return std::to_string(1 + std::count(text.begin(), text.begin() + static_cast<long>(at), '\n'));
  }
  // The file as it is now is refused with an error that begins with `error` (the file's name before
  // it).
  void ExpectRefused(const std::string& error) {
    SCOPED_TRACE(error);
    const int refused = std::stoi(world_.Status("reloads_refused"));
    const std::string done = world_.Status("reloads");
    const std::string before = world_.proxy().Log();
    const std::string answer = world_.AskReload();
    EXPECT_TRUE(answer.starts_with("-ERR " + path() + error)) << answer;
    EXPECT_GT(answer.size(), ("-ERR " + path() + error).size()) << "no reason: " << answer;
    const std::string told = answer.substr(5);
    EXPECT_EQ(world_.Status("last_reload_error"), told);
    EXPECT_EQ(world_.Info("last_reload_error"), told);
    EXPECT_EQ(world_.Status("reloads_refused"), std::to_string(refused + 1));
    EXPECT_EQ(world_.Info("reloads_refused"), std::to_string(refused + 1));
    EXPECT_EQ(world_.Status("reloads"), done);
    EXPECT_TRUE(world_.proxy().Logs(told, before.size())) << world_.proxy().Log();
    EXPECT_TRUE(Has(world_.AskReload({"DRYRUN"}), told));
    EXPECT_EQ(world_.Setting("read.from"), "primary");
    EXPECT_TRUE(world_.Settled());
    EXPECT_FALSE(load_.HasErrors());
  }
  void ExpectRefused(const std::string& text, const std::string& error) {
    WriteOver(path(), text);
    ExpectRefused(error);
  }
  // The next good one works, and the error is over.
  void ExpectGoodWorks() {
    WriteOver(path(), GoodText());
    EXPECT_TRUE(Has(world_.AskReload(), "read.from: primary -> replica"));
    EXPECT_EQ(world_.Setting("read.from"), "replica");
    EXPECT_EQ(world_.Status("last_reload_error"), "");
    EXPECT_EQ(world_.Info("last_reload_error"), "");
  }

  ReloadWorld world_;
  MovingLoad load_;
};

std::string Replace(std::string text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST_F(ReloadBadFile, Values) {
  const std::string good = GoodText();
  const struct {
    std::string what, by, at;  // the text that holds the mistake
  } mistakes[] = {
      {"name = \"b\"", "name = \"a\"",
       "name = \"a\"\nprimary = \"" + world_.file().shard("b").nodes[0]},
      {"weight = 1", "weight = 0", "weight = 0"},
      {"weight = 1", "wieght = 1", "wieght"},
      {"weight = 1", "weight = \"1\"", "weight = \"1\""},
      {"interval_ms = 200", "interval_ms = 1", "interval_ms = 1\n"},
      {"interval_ms = 200", "interval_ms = = 200", "interval_ms = ="},
      {"interval_ms = 200", "interval_ms = 200\ninterval_ms = 300", "interval_ms = 300"},
      {"[health]", "[health", "[health"},
      {"[health]", "[healht]", "[healht]"},
      {"from = \"replica\"", "from = \"nobody\"", "nobody"},
      {"from = \"replica\"", "from = \"replica", "from = \"replica"},
      {world_.file().shard("b").nodes[0], "127.0.0.1", "primary = \"127.0.0.1\""},
      {world_.file().shard("b").nodes[0], "127.0.0.1:66000", "66000"},
      {"watch_config = false", "watch_config = false\npassword = \"a\xff\"", "password"},
  };
  for (const auto& mistake : mistakes) {
    const std::string text = Replace(good, mistake.what, mistake.by);
    ExpectRefused(text, ":" + LineOf(text, mistake.at) + ":");
    EXPECT_TRUE(BeginsWithPlace(world_.Status("last_reload_error")))
        << world_.Status("last_reload_error");
  }
  ExpectGoodWorks();
}

TEST_F(ReloadBadFile, AddressInUse) {
  const std::string taken = world_.NewNode();
  const std::string listen = "listen = [\"127.0.0.1:" + std::to_string(world_.port()) + "\"";
  const std::string text = Replace(GoodText(), listen, listen + ", \"" + taken + "\"");
  ExpectRefused(text, ":" + LineOf(text, taken) + ":");
  EXPECT_TRUE(Has(world_.Status("last_reload_error"), taken));
  ExpectGoodWorks();
}

TEST_F(ReloadBadFile, PasswordsAreNotShown) {
  const std::string text = Replace(GoodText(), "watch_config = false",
                                   "watch_config = false\npassword = \"to-be-hidden\"\nuser = 7");
  ExpectRefused(text, ":" + LineOf(text, "user = 7") + ":");
  EXPECT_FALSE(Has(world_.proxy().Log(), "to-be-hidden"));
  ExpectGoodWorks();
}

TEST_F(ReloadBadFile, NotEvenAFile) {
  ExpectRefused("", ": ");
  ExpectRefused("\n# nothing\n\n", ": ");
  ExpectRefused(std::string(20000, '\0'), ":");
  ExpectRefused(std::string("\x7f"
                            "ELF\x02\x01\x01\0\xfe\xff",
                            11),
                ":");
  std::filesystem::remove(path());
  ExpectRefused(": ");
  std::filesystem::create_directory(path());
  ExpectRefused(": ");
  std::filesystem::remove(path());
  std::filesystem::create_symlink(path() + ".nowhere", path());
  ExpectRefused(": ");
  std::filesystem::remove(path());
  std::filesystem::create_symlink(path(), path());  // to itself
  ExpectRefused(": ");
  std::filesystem::remove(path());
  std::filesystem::create_symlink("/dev/zero", path());  // without an end
  ExpectRefused(": ");
  std::filesystem::remove(path());
  ExpectGoodWorks();
}

TEST_F(ReloadBadFile, CutAnywhere) {
  // Some parts of a file are good files themselves; a reload that is asked for takes them. All
  // others are refused.
  const std::string good = GoodText();
  int refused = 0;
  for (size_t end = 0; end < good.size(); end += end < 40 ? 13 : 37) {
    SCOPED_TRACE(end);
    WriteOver(path(), good.substr(0, end));
    const std::string answer = world_.AskReload({"DRYRUN"});
    ASSERT_EQ(world_.Setting("read.from"), "primary");
    if (!answer.starts_with("-")) continue;
    ++refused;
    EXPECT_TRUE(answer.starts_with("-ERR " + path() + ":")) << answer;
    EXPECT_EQ(world_.AskReload(), answer);
    EXPECT_EQ(world_.Status("last_reload_error"), answer.substr(5));
  }
  EXPECT_GT(refused, 10);
  EXPECT_TRUE(world_.Settled());
  ExpectGoodWorks();
}

}  // namespace
}  // namespace gemel::e2e::reload_bad_files_test
