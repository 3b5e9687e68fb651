// Setting one option in a file's text: what changes, and that nothing else does.

#include "config/config_edit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_load.h"
#include "config/config_names.h"
#include "config/config_options.h"

namespace gemel::config_edit_test {
namespace {

std::string Set(std::string text, const std::string& name, const std::string& value) {
  std::string error;
  EXPECT_TRUE(SetOption(&text, name, value, &error)) << error << "\n" << text;
  return text;
}

TEST(ConfigEdit, ReplacesTheValueAlone) {
  EXPECT_EQ(Set("[health] # h\n  timeout_ms=5# t\nfailures = 3\n", "health.timeout_ms", "77"),
            "[health] # h\n  timeout_ms=77# t\nfailures = 3\n");
  EXPECT_EQ(Set("[health]\ntimeout_ms = 5", "health.timeout_ms", "77"),
            "[health]\ntimeout_ms = 77");
  EXPECT_EQ(Set("[health]\r\ntimeout_ms\t=\t5 \t# x\r\n\r\n", "health.timeout_ms", "77"),
            "[health]\r\ntimeout_ms\t=\t77 \t# x\r\n\r\n");
  EXPECT_EQ(Set("health.timeout_ms = 5 # t\n", "health.timeout_ms", "7"),
            "health.timeout_ms = 7 # t\n");
  EXPECT_EQ(Set("\"health\" . 'timeout_ms' = 0x5\n", "health.timeout_ms", "7"),
            "\"health\" . 'timeout_ms' = 7\n");
  EXPECT_EQ(Set("health = { failures = 1 , timeout_ms = 5 }\n", "health.timeout_ms", "7"),
            "health = { failures = 1 , timeout_ms = 7 }\n");
  EXPECT_EQ(Set("health={timeout_ms=5}", "health.timeout_ms", "7"), "health={timeout_ms=7}");
  EXPECT_EQ(Set("[proxy]\nlisten = [ # all\n  \"a:1\", # ]\n  \"b:2]#\",\n] # end\nworkers = 1\n",
                "proxy.listen", "[\"c:3\"]"),
            "[proxy]\nlisten = [\"c:3\"] # end\nworkers = 1\n");
  EXPECT_EQ(
      Set("[log]\nfile = \"\"\"\na # \\\n  b\"\"\" # c\nlevel = 'info'\n", "log.file", "\"x\""),
      "[log]\nfile = \"x\" # c\nlevel = 'info'\n");
  EXPECT_EQ(Set("[log]\nfile = 'a#b' # \"c\"\n", "log.file", "\"x\""),
            "[log]\nfile = \"x\" # \"c\"\n");
  // Places count characters, not bytes.
  EXPECT_EQ(Set("\xef\xbb\xbflog = { file = '\xc3\xa9\xe2\x82\xac', level = 'info' } # \xc3\xa9\n",
                "log.level", "\"warn\""),
            "\xef\xbb\xbflog = { file = '\xc3\xa9\xe2\x82\xac', level = \"warn\" } # \xc3\xa9\n");
  // The same name in another section, in a comment, in a string, in [[shard]].
  EXPECT_EQ(Set("# weight = 1\n[a]\nb = 1\n[[shard]]\nb = 2\n[c]\nb = 'b = 4'\n[[shard]]\nb = 3\n",
                "c.b", "5"),
            "# weight = 1\n[a]\nb = 1\n[[shard]]\nb = 2\n[c]\nb = 5\n[[shard]]\nb = 3\n");
}

TEST(ConfigEdit, AddsToTheSection) {
  EXPECT_EQ(Set("[a]\nx = 1\n\n# of b\n[b]\ny = 2\n", "a.z", "3"),
            "[a]\nx = 1\nz = 3\n\n# of b\n[b]\ny = 2\n");
  EXPECT_EQ(Set("[b]\ny = 2", "b.z", "3"), "[b]\ny = 2\nz = 3");
  EXPECT_EQ(Set("[b]\r\n\ty = 2\r\n\r\n[c]\r\n", "b.z", "3"),
            "[b]\r\n\ty = 2\r\n\tz = 3\r\n\r\n[c]\r\n");
  EXPECT_EQ(Set("[b] # empty\n\n[c]\n", "b.z", "3"), "[b] # empty\nz = 3\n\n[c]\n");
  EXPECT_EQ(Set("[b]", "b.z", "3"), "[b]\nz = 3");
  EXPECT_EQ(Set("b.x = 1\nc.x = 2\n[d]\n", "b.z", "3"), "b.x = 1\nb.z = 3\nc.x = 2\n[d]\n");
  EXPECT_EQ(Set("b = {}\n", "b.z", "3"), "b = { z = 3 }\n");
  EXPECT_EQ(Set("b = { }\n", "b.z", "3"), "b = { z = 3 }\n");
  EXPECT_EQ(Set("b = { x = [1] } # b\n", "b.z", "3"), "b = { x = [1], z = 3 } # b\n");
  EXPECT_EQ(Set("[b]\nx = [\n  1,\n] # x\ny = '''\n[c]'''\n[d]\n", "b.z", "3"),
            "[b]\nx = [\n  1,\n] # x\ny = '''\n[c]'''\nz = 3\n[d]\n");
  // A comment that goes on below belongs to the key, one at the margin to what follows.
  EXPECT_EQ(Set("[b]\nx = 1  # one\n       # more\n# of c\n[c]\n", "b.z", "3"),
            "[b]\nx = 1  # one\n       # more\nz = 3\n# of c\n[c]\n");
  EXPECT_EQ(Set("[b]\nx = 1\n  # of y\n[c]\n", "b.z", "3"), "[b]\nx = 1\nz = 3\n  # of y\n[c]\n");
}

TEST(ConfigEdit, AddsASection) {
  EXPECT_EQ(Set("[a]\nx = 1\n", "b.z", "3"), "[a]\nx = 1\n\n[b]\nz = 3\n");
  EXPECT_EQ(Set("[a]\r\nx = 1\r\n", "b.z", "3"), "[a]\r\nx = 1\r\n\r\n[b]\r\nz = 3\r\n");
  EXPECT_EQ(Set("[a] # a", "b.z", "3"), "[a] # a\n\n[b]\nz = 3");
  EXPECT_EQ(Set("", "b.z", "3"), "[b]\nz = 3\n");
}

TEST(ConfigEdit, RefusesAndLeavesTheTextAlone) {
  struct Case {
    std::string text;
    std::string name;
    std::string value;
    std::string error;
  };
  const std::vector<Case> cases = {
      {"[a]\n", "a", "1", "bad option name \"a\", expected a section and a key with a dot between"},
      {"[a]\n", "a.b.c", "1",
       "bad option name \"a.b.c\", expected a section and a key with a dot between"},
      {"[a]\n", "a.b ", "1",
       "bad option name \"a.b \", expected a section and a key with a dot between"},
      {"[a]\n", "a.b", "", "what a.b is to be set to is no value in TOML"},
      {"[a]\n", "a.b", "1\n[c]", "what a.b is to be set to is no value in TOML"},
      {"[a]\n", "a.b", "1 # c", "what a.b is to be set to is no value in TOML"},
      {"[a]\n", "a.b", "1 ", "what a.b is to be set to is no value in TOML"},
      {"[a]\n", "a.b", "{ c = 1 }", "what a.b is to be set to is no value in TOML"},
      {"[a]\n", "a.b", "\"secret", "what a.b is to be set to is no value in TOML"},
      {"a = 5\n", "a.b", "1",
       "a.b cannot be set, because the file has something else under that name"},
      {"[[a]]\nb = 5\n", "a.b", "1",
       "a.b cannot be set, because the file has something else under that name"},
      {"[a.b]\n", "a.b", "1",
       "a.b cannot be set, because the file has something else under that name"},
      {"[a.c]\n", "a.b", "1",
       "a.b cannot be set without a change of something else in the file, edit it by hand"},
  };
  for (const Case& test : cases) {
    std::string text = test.text;
    std::string error;
    EXPECT_FALSE(SetOption(&text, test.name, test.value, &error)) << test.name << test.value;
    EXPECT_EQ(text, test.text);
    EXPECT_EQ(error, test.error);
  }
  for (const std::string bad : {"[a\n", "a = \"\xff\"\n", "a = 1\na = 2\n"}) {
    std::string text = bad;
    std::string error;
    EXPECT_FALSE(SetOption(&text, "a.b", "1", &error));
    EXPECT_EQ(text, bad);
    EXPECT_TRUE(error.starts_with("the file cannot be edited, it is not ")) << error;
  }
}

TEST(ConfigEdit, ValuesOfArguments) {
  std::string error;
  EXPECT_EQ(TomlValue(OptionKind::kFlag, "Yes", &error), "true");
  EXPECT_EQ(TomlValue(OptionKind::kFlag, "false", &error), "false");
  EXPECT_EQ(TomlValue(OptionKind::kNumber, "-12", &error), "-12");
  EXPECT_EQ(TomlValue(OptionKind::kNumber, "0", &error), "0");
  EXPECT_EQ(TomlValue(OptionKind::kNumber, "9223372036854775807", &error), "9223372036854775807");
  EXPECT_EQ(TomlValue(OptionKind::kSize, "64mb", &error), "\"64mb\"");
  EXPECT_EQ(TomlValue(OptionKind::kSize, "1048576", &error), "1048576");
  EXPECT_EQ(TomlValue(OptionKind::kText, "a\"b\\c\n\x7f", &error), "\"a\\\"b\\\\c\\u000A\\u007F\"");
  EXPECT_EQ(TomlValue(OptionKind::kList, " a:1  [::1]:2 ", &error), "[\"a:1\", \"[::1]:2\"]");
  EXPECT_EQ(TomlValue(OptionKind::kList, "", &error), "[]");
  EXPECT_EQ(TomlValue(OptionKind::kNumber, "9223372036854775808", &error), std::nullopt);
  EXPECT_EQ(error, "argument couldn't be parsed into an integer");
  for (const std::string_view odd : {"0012", "-0", "000", "+1", " 1", "1 ", "-"}) {
    EXPECT_EQ(TomlValue(OptionKind::kNumber, odd, &error), std::nullopt) << odd;
  }
  EXPECT_EQ(TomlValue(OptionKind::kNumber, "1.5", &error), std::nullopt);
  EXPECT_EQ(TomlValue(OptionKind::kNumber, "", &error), std::nullopt);
  EXPECT_EQ(TomlValue(OptionKind::kFlag, "maybe", &error), std::nullopt);
  EXPECT_EQ(error, "argument must be 'yes' or 'no'");
  EXPECT_EQ(TomlValue(OptionKind::kSecret, "\xff", &error), std::nullopt);
  EXPECT_EQ(error, "expected UTF-8");
}

// Any option, set at random again and again in texts that are hard to edit: the file loads, has the
// value, and has the lines that it had.
class RandomEdits {
 public:
  explicit RandomEdits(uint32_t seed) : random_(seed) {}

  void Run(const std::string& text, int steps) {
    std::string edited = text;
    std::map<std::string, std::string> shown = Shown(edited);
    std::string password = Load(edited).pool().password;
    for (int i = 0; i < steps; ++i) {
      const OptionInfo& option = KnownOptions()[random_() % KnownOptions().size()];
      if (option.guard == Guard::kFileOnly) continue;
      const std::string argument = Argument(option, shown);
      if (option.name == "proxy.user" && password.empty()) continue;
      std::string error;
      const std::optional<std::string> value = TomlValue(option.kind, argument, &error);
      ASSERT_TRUE(value) << option.name << " " << argument << " " << error;
      const std::string before = edited;
      ASSERT_TRUE(SetOption(&edited, option.name, *value, &error)) << option.name << error;
      ConfigError wrong;
      if (!LoadConfigText(edited, "/etc/gemel.toml", &wrong)) {
        // Rules between two options, which the file tells: the edit itself was good.
        const bool of_two =
            wrong.message.find("at least") != std::string::npos ||
            wrong.message.find("expected a password beside it") != std::string::npos;
        ASSERT_TRUE(of_two) << wrong.ToString() << edited;
        edited = before;
        continue;
      }
      ExpectOthersStay(before, edited);
      if (option.name == "proxy.password") {
        password = argument;
        EXPECT_EQ(Load(edited).pool().password, argument);
      } else if (option.name == "metrics.password") {
        EXPECT_EQ(Load(edited).metrics.password, argument);
      } else {
        shown[option.name] = argument;
      }
      std::map<std::string, std::string> now = Shown(edited);
      ASSERT_EQ(now, shown) << option.name << " " << argument << "\n" << edited;
      // Set to the same value again, nothing changes any more.
      const std::string once = edited;
      ASSERT_TRUE(SetOption(&edited, option.name, *value, &error));
      ASSERT_EQ(edited, once);
    }
  }

 private:
  static Config Load(const std::string& text) {
    ConfigError error;
    std::optional<Config> config = LoadConfigText(text, "/etc/gemel.toml", &error);
    EXPECT_TRUE(config) << error.ToString() << "\n" << text;
    if (config) return *config;
    Config none;
    none.pools.emplace_back();
    return none;
  }

  static std::map<std::string, std::string> Shown(const std::string& text) {
    const Config config = Load(text);
    std::map<std::string, std::string> shown;
    for (const ConfigValue& value : ConfigValues(config, config.pool())) {
      if (value.name.find('.') != std::string::npos) shown[value.name] = value.value;
    }
    return shown;
  }

  std::string Argument(const OptionInfo& option, const std::map<std::string, std::string>& shown) {
    switch (option.kind) {
      case OptionKind::kFlag:
        return random_() % 2 == 0 ? "true" : "false";
      case OptionKind::kNumber:
        return std::to_string(random_() % 100 + 16);
      case OptionKind::kSize:
        return std::to_string(random_() % 100000 + 5000);
      case OptionKind::kSecret:
        return "s #\"'\\" + std::to_string(random_() % 100);
      case OptionKind::kList:
        return "127.0.0.1:" + std::to_string(random_() % 100 + 1) +
               (option.name == "metrics.listen" ? " [::1]:9" : " unix:/a#b");
      case OptionKind::kText:
        break;
    }
    if (option.name == "proxy.state_dir" || option.name == "log.file") {
      return "/a [b] # \"c\" '\xc3\xa9' " + std::to_string(random_() % 100);
    }
    if (option.name == "proxy.user") return "u#" + std::to_string(random_() % 100);
    if (option.name == "ring.hash_tag") return random_() % 2 == 0 ? "[]" : "#\"";
    if (option.name == "log.level") return random_() % 2 == 0 ? "debug" : "error";
    if (option.name == "read.from") return random_() % 2 == 0 ? "balanced" : "replica";
    if (option.name == "write.ack") return random_() % 2 == 0 ? "any" : "primary";
    return shown.at(option.name);
  }

  // Sorted. They live as long as the text.
  static std::vector<std::string_view> Lines(std::string_view text) {
    std::vector<std::string_view> lines;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  // All lines but those of one value, which may have been an array of some lines, are there yet.
  static void ExpectOthersStay(const std::string& before, const std::string& after) {
    const std::vector<std::string_view> old = Lines(before);
    const std::vector<std::string_view> now = Lines(after);
    size_t gone = 0;
    for (auto first = old.begin(); first != old.end();) {
      const auto last = std::upper_bound(first, old.end(), *first);
      const auto [now_first, now_last] = std::equal_range(now.begin(), now.end(), *first);
      if (now_last - now_first < last - first) gone += static_cast<size_t>(last - first);
      first = last;
    }
    EXPECT_LE(gone, 4u) << before << "\n->\n" << after;
    EXPECT_EQ(after.find('\r') == std::string::npos, before.find('\r') == std::string::npos);
    const auto comments = [](const std::string& text) {
      size_t count = 0;
      for (size_t at = 0; (at = text.find("note:", at)) != std::string::npos; ++at) ++count;
      return count;
    };
    EXPECT_EQ(comments(before), comments(after));
  }

  std::mt19937 random_;
};

std::string WithCrlf(const std::string& text) {
  std::string converted;
  for (const char c : text) {
    if (c == '\n') converted += '\r';
    converted += c;
  }
  return converted;
}

// What is marked "note:" stays through all edits; the comments within an array go with its value.
const char* const kNasty[] = {
    "[[shard]]\nname = \"a\"\nprimary = \"h:1\"",
    "# note: [health]\n[[shard]] # note: timeout_ms = 5\nname = 'a' # ] note:\n"
    "primary = \"h:1\"\nweight = 2\n",
    "\xef\xbb\xbf# note: \xc3\xa9\nhealth.timeout_ms = 5000 # note: \"\n"
    "limits = { max_bulk = \"1mb\", max_clients = 7 } # note: }\nlog = {}\n"
    "[proxy] # note: [\n\tlisten = [ # ]\n\t\t\"a:1\", # \"\n\t\t'b:2' ] # note: end\n\n\n"
    "# note: shards\n[[shard]]\nname = \"a\"\nprimary = \"h:1\"\n"
    "[ ring ] # note:\n  \"points\" = 0x10 # note:\n     # note: more\n# note: last",
    "[log]\nfile = '''\n[proxy] #'''\n[proxy]\n[[shard]]\nname = \"a\"\nprimary = \"h:1\"\n"
    "[write]\nack = \"all\"\n[[shard]]\nname = \"b\"\nprimary = \"h:2\"\n"
    "#[health]\n#timeout_ms = 5\n",
};

TEST(ConfigEdit, RandomOptionsInHardTexts) {
  for (size_t i = 0; i < std::size(kNasty); ++i) {
    const std::string text = kNasty[i];
    for (uint32_t seed = 0; seed < 10; ++seed) {
      SCOPED_TRACE("text " + std::to_string(i) + " seed " + std::to_string(seed));
      RandomEdits(seed).Run(text, 40);
      RandomEdits(seed).Run(WithCrlf(text), 40);
      if (HasFailure()) return;
    }
  }
}

TEST(ConfigEdit, RandomOptionsInTheExample) {
  const std::filesystem::path source(__FILE__);
  std::ifstream file(source.parent_path().parent_path().parent_path() / "config" / "gemel.toml");
  std::stringstream text;
  text << file.rdbuf();
  ASSERT_FALSE(text.str().empty());
  for (uint32_t seed = 0; seed < 3; ++seed) RandomEdits(seed).Run(text.str(), 60);
}

}  // namespace
}  // namespace gemel::config_edit_test
