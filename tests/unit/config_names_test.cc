// The glob of CONFIG GET, against a slow matcher, and the list of options it chooses from.

#include "config/config_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "backend/command/glob.h"
#include "config/config_load.h"
#include "config/config_options.h"

namespace gemel::config_names_test {
namespace {

int Lower(char c) { return std::tolower(static_cast<unsigned char>(c)); }

// The character class of Redis's stringmatchlen, letters' case ignored; `pattern` begins behind the
// '[' and is left behind the ']'.
bool SlowClass(std::string_view* pattern, char c) {
  const bool negated = pattern->starts_with('^');
  if (negated) pattern->remove_prefix(1);
  bool found = false;
  while (!pattern->empty() && (*pattern)[0] != ']') {
    if ((*pattern)[0] == '\\' && pattern->size() >= 2) {
      found |= Lower((*pattern)[1]) == Lower(c);
      pattern->remove_prefix(2);
    } else if (pattern->size() >= 3 && (*pattern)[1] == '-') {
      const int low = Lower(std::min((*pattern)[0], (*pattern)[2]));
      const int high = Lower(std::max((*pattern)[0], (*pattern)[2]));
      found |= low <= Lower(c) && Lower(c) <= high;
      pattern->remove_prefix(3);
    } else {
      found |= Lower((*pattern)[0]) == Lower(c);
      pattern->remove_prefix(1);
    }
  }
  if (!pattern->empty()) pattern->remove_prefix(1);
  return found != negated;
}

// Tries all ways: exponential, and so simple that it is right.
bool SlowMatches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  const char first = pattern[0];
  if (first == '*') {
    return SlowMatches(pattern.substr(1), text) ||
           (!text.empty() && SlowMatches(pattern, text.substr(1)));
  }
  if (text.empty()) return false;
  if (first == '?') return SlowMatches(pattern.substr(1), text.substr(1));
  if (first == '[') {
    std::string_view rest = pattern.substr(1);
    return SlowClass(&rest, text[0]) && SlowMatches(rest, text.substr(1));
  }
  if (first == '\\' && pattern.size() >= 2) pattern.remove_prefix(1);
  return Lower(pattern[0]) == Lower(text[0]) && SlowMatches(pattern.substr(1), text.substr(1));
}

TEST(GlobTest, Examples) {
  EXPECT_TRUE(GlobMatches("*", ""));
  EXPECT_TRUE(GlobMatches("", ""));
  EXPECT_FALSE(GlobMatches("", "a"));
  EXPECT_FALSE(GlobMatches("?", ""));
  EXPECT_TRUE(GlobMatches("MaxClients", "maxclients"));
  EXPECT_TRUE(GlobMatches("limits.*", "limits.max_bulk"));
  EXPECT_FALSE(GlobMatches("limits.*", "limit.max_bulk"));
  EXPECT_TRUE(GlobMatches("*max*bulk*", "limits.max_bulk"));
  EXPECT_TRUE(GlobMatches("[a-c][^a-c]", "bd"));
  EXPECT_TRUE(GlobMatches("[c-a]", "b"));  // Redis puts the ends in order
  EXPECT_FALSE(GlobMatches("[^a]", "a"));
  EXPECT_FALSE(GlobMatches("[]", "a"));
  EXPECT_TRUE(GlobMatches("[^]", "a"));
  EXPECT_TRUE(GlobMatches("[abc", "c"));
  EXPECT_TRUE(GlobMatches("\\*", "*"));
  EXPECT_FALSE(GlobMatches("\\*", "a"));
  EXPECT_TRUE(GlobMatches("[\\]]", "]"));
  EXPECT_TRUE(GlobMatches("a\\", "a\\"));
}

TEST(GlobTest, AsTheSlowMatcherSays) {
  const std::string pattern_letters = "aabBc**??[[]]^-\\";
  const std::string text_letters = "aabBcC-]^\\[*";
  std::mt19937 random(20240501);
  int matched = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string pattern;
    std::string text;
    for (size_t n = random() % 9; n > 0; --n) {
      pattern += pattern_letters[random() % pattern_letters.size()];
    }
    for (size_t n = random() % 6; n > 0; --n) text += text_letters[random() % text_letters.size()];
    const bool wanted = SlowMatches(pattern, text);
    matched += wanted;
    ASSERT_EQ(GlobMatches(pattern, text), wanted) << "'" << pattern << "' on '" << text << "'";
  }
  EXPECT_GT(matched, 5000);  // else nothing is tested
}

// A matcher that tries all ways would not come back from any of these.
TEST(GlobTest, HardPatternsTakeBoundedWork) {
  const std::string text(3000, 'a');
  std::string pattern;
  for (int i = 0; i < 300; ++i) pattern += "*a";
  EXPECT_FALSE(GlobMatches("*a*a*a*a*b", text));
  EXPECT_FALSE(GlobMatches(pattern + "*b", text));
  EXPECT_TRUE(GlobMatches(pattern, text));
  EXPECT_FALSE(GlobMatches(pattern + "*[^a]", text));
  EXPECT_TRUE(GlobMatches(std::string(100000, '*'), text));
  EXPECT_FALSE(GlobMatches(std::string(100000, '['), text));
}

std::map<std::string, std::string> Shown(const std::string& file) {
  ConfigError error;
  const std::optional<Config> config = LoadConfigText(file, "/etc/gemel.toml", &error);
  EXPECT_TRUE(config) << error.ToString();
  std::map<std::string, std::string> shown;
  if (!config) return shown;
  for (const ConfigValue& value : ConfigValues(*config, config->pool())) {
    EXPECT_TRUE(shown.emplace(value.name, value.value).second) << value.name << " is there twice";
  }
  return shown;
}

constexpr std::string_view kFile = R"(
[proxy]
listen = ["127.0.0.1:7000", "unix:/run/g.sock"]
workers = 3
scheduling = "normal"
io_uring = false
state_dir = "/var/lib/gemel"
watch_config = false
databases = 7
cluster = true
announce = "cache.example.org:7001"
protected_mode = false
protected_configs = "local"
user = "clerk"
password = "client-secret"
[ring]
distribution = "ring"
hash = "xxh3"
points = 77
hash_tag = "<>"
on_change = "forget"
forget_keys_per_s = 78
[[shard]]
name = "a"
primary = "127.0.0.1:7101"
user = "node-user"
password = "node-secret"
[write]
ack = "any"
on_data_loss = "miss"
[read]
from = "balanced"
hedge_ms = 51
[health]
interval_ms = 101
timeout_ms = 102
min_timeout_ms = 104
failures = 103
failback = "when-in-sync"
resolve_s = 105
[limits]
max_clients = 201
max_bulk = 20200
max_args = 203
max_inline = 2040
max_request = 206000
max_reply = 206500
client_pending = 207
client_watched = 2075
client_subscriptions = 2076
client_output = 20800
client_output_hard = 20900
scripts = 20950
buffered = 21000
node_pending_bytes = 21100
node_pending = 212
shard_held = 213
[timeouts]
connect_ms = 301
request_ms = 302
idle_s = 303
drain_ms = 304
reconnect_min_ms = 305
reconnect_max_ms = 306
keepalive_s = 307
[resync]
pause_ms = 401
timeout_s = 402
retry_ms = 403
journal_keys = 404
journal_bytes = 50200
repair_keys_per_s = 406
max_parallel = 407
[audit]
keys_per_s = 411
interval_s = 412
max_value = 41300
[removals]
follow = false
set_limits = false
[slowlog]
log_slower_than = 421
max_len = 422
[latency]
monitor_threshold = 423
tracking = false
percentiles = "42 43"
[metrics]
listen = ["127.0.0.1:9121", "[::1]:9122"]
password = "looker-secret"
actions = true
[log]
level = "warn"
file = "/var/log/gemel"
rotate_bytes = 50100
rotate_files = 502
)";

// Every option of the file, by the file itself: none is forgotten, and each shows its own value.
TEST(ConfigNamesTest, ShowsEveryOptionOfTheFile) {
  const std::map<std::string, std::string> shown = Shown(std::string(kFile));
  std::istringstream lines{std::string(kFile)};
  std::string section;
  int options = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('[')) section = line.substr(1, line.find(']') - 1);
    const size_t equals = line.find(" = ");
    if (equals == std::string::npos || section == "[shard") continue;
    const std::string name = section + "." + line.substr(0, equals);
    if (name.ends_with(".password")) {
      EXPECT_FALSE(shown.contains(name));
      continue;
    }
    ++options;
    ASSERT_TRUE(shown.contains(name)) << name << " is not shown";
    std::string value = line.substr(equals + 3);
    if (value.starts_with('[')) {
      value = name == "metrics.listen" ? "127.0.0.1:9121 [::1]:9122"
                                       : "127.0.0.1:7000 unix:/run/g.sock";
    }
    if (value.starts_with('"')) value = value.substr(1, value.size() - 2);
    EXPECT_EQ(shown.at(name), value) << name;
  }
  EXPECT_EQ(options, 74);
}

TEST(ConfigNamesTest, ShowsPasswordsNowhere) {
  for (const auto& [name, value] : Shown(std::string(kFile))) {
    EXPECT_EQ(value.find("secret"), std::string::npos) << name;
    EXPECT_EQ(name.find("pass"), std::string::npos) << name;
    EXPECT_FALSE(GlobMatches("*auth*", name)) << name;
  }
}

TEST(ConfigNamesTest, RedisNames) {
  const std::map<std::string, std::string> shown = Shown(std::string(kFile));
  EXPECT_EQ(shown.at("maxclients"), "201");
  EXPECT_EQ(shown.at("timeout"), "303");
  EXPECT_EQ(shown.at("tcp-keepalive"), "307");
  EXPECT_EQ(shown.at("proto-max-bulk-len"), "20200");
  EXPECT_EQ(shown.at("port"), "7000");
  EXPECT_EQ(shown.at("bind"), "127.0.0.1");
  EXPECT_EQ(shown.at("databases"), "7");
  EXPECT_EQ(shown.at("cluster-enabled"), "yes");
  EXPECT_EQ(shown.at("save"), "");
  EXPECT_EQ(shown.at("appendonly"), "no");
  EXPECT_EQ(shown.at("dir"), "/var/lib/gemel");
  EXPECT_EQ(shown.at("io-threads"), "3");
  EXPECT_EQ(shown.at("loglevel"), "warn");
  EXPECT_EQ(shown.at("logfile"), "/var/log/gemel");
  EXPECT_EQ(shown.at("protected-mode"), "no");
  EXPECT_EQ(shown.at("enable-protected-configs"), "local");
  EXPECT_EQ(shown.at("slowlog-log-slower-than"), "421");
  EXPECT_EQ(shown.at("slowlog-max-len"), "422");
  EXPECT_EQ(shown.at("latency-monitor-threshold"), "423");
  EXPECT_EQ(shown.at("latency-tracking"), "no");
  EXPECT_EQ(shown.at("latency-tracking-info-percentiles"), "42 43");
  EXPECT_EQ(shown.at("maxmemory"), "0");
  EXPECT_EQ(shown.at("maxmemory-policy"), "noeviction");
}

TEST(ConfigNamesTest, OptionsByEitherName) {
  EXPECT_EQ(FileOption("MaxClients"), "limits.max_clients");
  EXPECT_EQ(FileOption("timeout"), "timeouts.idle_s");
  EXPECT_EQ(FileOption("requirepass"), "proxy.password");
  EXPECT_EQ(FileOption("HEALTH.timeout_ms"), "health.timeout_ms");
  EXPECT_EQ(FileOption("proxy.password"), "proxy.password");
  for (const char* none : {"", "save", "port", "shard.name", "health", "health.", "nonsense"}) {
    EXPECT_EQ(FileOption(none), "") << none;
  }
  EXPECT_EQ(FileValue("LogLevel", "Notice"), "info");
  EXPECT_EQ(FileValue("loglevel", "warn"), "warn");
  EXPECT_EQ(FileValue("logfile", "notice"), "notice");
}

// The options that can be set are those that are shown, but for the password.
TEST(ConfigNamesTest, WhatIsKnownIsShown) {
  const std::map<std::string, std::string> shown = Shown(std::string(kFile));
  size_t options = 0;
  for (const OptionInfo& option : KnownOptions()) {
    EXPECT_EQ(shown.contains(option.name), option.kind != OptionKind::kSecret) << option.name;
    options += option.kind != OptionKind::kSecret;
  }
  for (const auto& [name, value] : shown) {
    if (name.find('.') != std::string::npos) {
      EXPECT_NE(FindOption(name), nullptr) << name;
    }
  }
  EXPECT_EQ(options, 121u);
}

// Who may set an option over a connection. A new one that names a path or an address is protected
// by the way it is read; the list says what else is.
TEST(ConfigNamesTest, WhatIsProtected) {
  const std::set<std::string> wanted = {
      "proxy.listen",     "proxy.state_dir",      "log.file",       "log.rotate_bytes",
      "log.rotate_files", "proxy.protected_mode", "metrics.listen", "metrics.actions"};
  std::set<std::string> found;
  for (const OptionInfo& option : KnownOptions()) {
    if (option.guard == Guard::kProtected) found.insert(option.name);
    EXPECT_EQ(option.guard == Guard::kFileOnly,
              option.name == "proxy.protected_configs" ||
                  option.name == "proxy.allow_readable_secrets" ||
                  option.name.starts_with("commands.") || option.name.starts_with("fleet.") ||
                  option.name.starts_with("tls.") || option.name.starts_with("node_tls.") ||
                  option.name.starts_with("coordinator_tls."))
        << option.name;
    for (const ProtectedConfigs leave :
         {ProtectedConfigs::kNo, ProtectedConfigs::kYes, ProtectedConfigs::kLocal}) {
      for (const bool local : {false, true}) {
        const bool may =
            option.guard == Guard::kNone ||
            (option.guard == Guard::kProtected &&
             (leave == ProtectedConfigs::kYes || (leave == ProtectedConfigs::kLocal && local)));
        EXPECT_EQ(WhyProtected(option, leave, local).empty(), may) << option.name;
      }
    }
  }
  EXPECT_EQ(found, wanted);
}

}  // namespace
}  // namespace gemel::config_names_test
