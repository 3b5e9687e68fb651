// Files that cannot be read, hostile texts, and the example that users start from.

#include "config/config_load.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

namespace gemel::config_load_test {
namespace {

namespace fs = std::filesystem;

constexpr char kShard[] = "[[shard]]\nname = \"s\"\nprimary = \"127.0.0.1:7001\"\n";

TEST(ConfigText, ThePlaceOfTheLogFile) {
  ConfigError error;
  std::optional<Config> config =
      LoadConfigText("[log]\n  file = \"x.log\"\n" + std::string(kShard), "/g.toml", &error);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->log.line, 2u);
  EXPECT_EQ(config->log.column, 10u);
  // Where it is said is no difference.
  std::optional<Config> moved =
      LoadConfigText("\n[log]\nfile = \"x.log\"\n" + std::string(kShard), "/g.toml", &error);
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->log, config->log);
}

TEST(ConfigText, TooLarge) {
  ConfigError error;
  std::string text = kShard;
  text += "#";
  text.resize(16 << 20, 'x');
  EXPECT_TRUE(LoadConfigText(text, "f", &error)) << error.ToString();
  text += 'x';
  EXPECT_FALSE(LoadConfigText(text, "f", &error));
  EXPECT_EQ(error.ToString(), "f: is larger than 16mb, expected a configuration file");
}

std::string Repeat(std::string_view text, size_t count) {
  std::string all;
  all.reserve(text.size() * count);
  while (count-- > 0) all += text;
  return all;
}

TEST(ConfigHostile, NestingIsRefusedWithItsPlace) {
  const std::string expected =
      "nested too deep, expected at most 8 parts in a key and 16 brackets within one another";
  struct Deep {
    std::string text;
    uint32_t line;
    uint32_t column;
  };
  const Deep cases[] = {
      {"[" + Repeat("a.", 1000000) + "a]\n", 1, 17},
      {"\n" + Repeat("a.", 1000000) + "a = 1\n", 2, 16},
      {Repeat("a . ", 1000000) + "a = 1\n", 1, 31},
      {Repeat("'a'.", 1000000) + "a = 1\n", 1, 32},
      {"a = " + Repeat("[", 1000000), 1, 21},
      {"a = " + Repeat("[\n", 1000000), 17, 1},
      {"a = " + Repeat("{a=", 1000000), 1, 53},
      {"a = " + Repeat("[{a.b=", 1000000), 1, 53},
      {"x = \"\"\"a\"\"\"\"\"\nb = " + Repeat("[", 1000000), 2, 21},
      {"x = \"\\\"\" # \"\n" + Repeat("a.", 1000000), 2, 16},
      {"'\xc3\xa9' = '\xc3\xa9\n" + Repeat("a.", 1000000), 2, 16},
      {"x = '\\'\n" + Repeat("a.", 1000000), 2, 16},
      {"x = '''\n'' \\''' \n" + Repeat("a.", 1000000), 3, 16},
  };
  for (const Deep& deep : cases) {
    SCOPED_TRACE(deep.text.substr(0, 60));
    ConfigError error;
    EXPECT_FALSE(LoadConfigText(deep.text, "f", &error));
    EXPECT_EQ(error.message, expected);
    EXPECT_EQ(error.line, deep.line);
    EXPECT_EQ(error.column, deep.column);
  }
}

TEST(ConfigHostile, DotsAndBracketsInStringsAndCommentsDoNotNest) {
  const std::string dots = Repeat(".", 100) + Repeat("[{", 100);
  ConfigError error;
  EXPECT_TRUE(LoadConfigText("# " + dots + "\n[proxy]\nstate_dir = \"\\\"" + dots + "\" # \"\n" +
                                 "password = '''\n'" + dots + "\n'''''\n[log]\nfile = '" + dots +
                                 "'\n" + kShard + "password = \"\"\"\\\"\"\" " + dots + "\"\"\"\n",
                             "f", &error))
      << error.ToString();
  // As deep as is let through: the parser gets it, and it is the keys that are wrong.
  EXPECT_FALSE(
      LoadConfigText("a.b.c.d.e.f.g.h = " + Repeat("[", 16) + Repeat("]", 16) + "\n", "f", &error));
  EXPECT_EQ(error.message.substr(0, 15), "unknown section") << error.message;
}

TEST(ConfigHostile, EveryByteAndEveryCutIsAnAnswer) {
  const std::string good = "[proxy]\nlisten = ['a:1'] # c\n[ring]\nhash_tag = \"{}\"\n" +
                           std::string(kShard) + "replicas = [\"b:1\",\n\"[::1]:2\"]\n";
  ConfigError error;
  ASSERT_TRUE(LoadConfigText(good, "f", &error)) << error.ToString();
  auto answers = [](const std::string& text) {
    ConfigError error;
    if (LoadConfigText(text, "f", &error)) return;
    EXPECT_FALSE(error.message.empty());
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
    EXPECT_EQ(error.line == 0, error.column == 0);
  };
  for (size_t cut = 0; cut < good.size(); cut++) {
    SCOPED_TRACE(cut);
    answers(good.substr(0, cut));
    answers(good.substr(cut));
    for (const char* bytes :
         {"", "\xff", "\x80", "\"", "'", "[", "]", "{", "=", ".", "\n", "\r", "#"}) {
      answers(good.substr(0, cut) + bytes + good.substr(cut + 1));
    }
    answers(good.substr(0, cut) + '\0' + good.substr(cut));
  }
}

// Bytes that are no text at all.
TEST(ConfigHostile, Noise) {
  uint64_t state = 1;
  for (int round = 0; round < 2000; round++) {
    std::string text;
    for (int i = 0; i < 64; i++) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      text += static_cast<char>(state >> 56);
    }
    ConfigError error;
    EXPECT_FALSE(LoadConfigText(text, "f", &error));
    EXPECT_FALSE(error.message.empty());
  }
}

// config/gemel.toml, which documents every option.
class ConfigExample : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path path =
        fs::path(__FILE__).parent_path().parent_path().parent_path() / "config" / "gemel.toml";
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    text_ = text.str();
    ASSERT_FALSE(text_.empty()) << path;
  }

  std::string text_;
};

TEST_F(ConfigExample, LoadsAndShowsTheDefaults) {
  ConfigError error;
  std::optional<Config> example = LoadConfigText(text_, "f", &error);
  ASSERT_TRUE(example) << error.ToString();
  std::optional<Config> expected = LoadConfigText(
      "[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:7101\"\n"
      "replicas = [\"127.0.0.1:7201\"]\n"
      "[[shard]]\nname = \"b\"\nprimary = \"127.0.0.1:7102\"\n"
      "replicas = [\"127.0.0.1:7202\"]\n",
      "f", &error);
  ASSERT_TRUE(expected) << error.ToString();
  EXPECT_EQ(*example, *expected);
}

TEST_F(ConfigExample, ShowsEveryOption) {
  size_t options = 0;
  for (const char* head :
       {"[proxy]",           "[ring]",     "[[shard]]",   "[write]", "[read]",       "[health]",
        "[limits]",          "[timeouts]", "[resync]",    "[audit]", "[removals]",   "[fleet]",
        "[slowlog]",         "[latency]",  "[metrics]",   "[tls]",   "[[tls_cert]]", "[node_tls]",
        "[coordinator_tls]", "[log]",      "[[command]]", "[[user]]"}) {
    SCOPED_TRACE(head);
    const size_t section = text_.find("\n" + std::string(head));
    const size_t comment = text_.find("\n# " + std::string(head));
    const size_t start = std::min(section, comment);
    ASSERT_NE(start, std::string::npos);
    // What the section knows is what it says when asked for something else.
    ConfigError error;
    EXPECT_FALSE(LoadConfigText(std::string(head) + "\nzzzzzzzzzzzz = 1\n", "f", &error));
    const std::string before = "expected one of ";
    const size_t list = error.message.find(before);
    ASSERT_NE(list, std::string::npos) << error.message;
    std::stringstream keys(error.message.substr(list + before.size()));
    for (std::string key; keys >> key; options++) {
      if (key.back() == ',') key.pop_back();
      const size_t at =
          std::min(text_.find("\n" + key + " = ", start), text_.find("\n# " + key + " = ", start));
      ASSERT_NE(at, std::string::npos) << key;
      EXPECT_LT(at - start, 2600u) << key << " is not in its section";
    }
  }
  EXPECT_GE(options, 50u);
}

TEST_F(ConfigExample, ItsCommandLoads) {
  const size_t start = text_.find("# [[command]]");
  ASSERT_NE(start, std::string::npos);
  std::string text = text_;
  for (size_t at = start; at < text.size() && text[at] == '#'; at = text.find('\n', at) + 1) {
    text.erase(at, 2);
  }
  ConfigError error;
  std::optional<Config> config = LoadConfigText(text, "f", &error);
  ASSERT_TRUE(config) << error.ToString();
  const std::vector<ExtraCommand> expected = {{"json.set", -4, true, 1, 1, 1, true}};
  EXPECT_EQ(config->pool().commands, expected);
}

}  // namespace
}  // namespace gemel::config_load_test
