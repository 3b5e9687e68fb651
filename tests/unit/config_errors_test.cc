// Mistakes of one option of a config file: the message, whole, and its exact place.

#include "tests/unit/config_errors.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace gemel::config_errors_test {
namespace {

TEST(ConfigErrors, ToString) {
  EXPECT_EQ((ConfigError{"a/g.toml", 12, 3, "bad"}).ToString(), "a/g.toml:12:3: bad");
  EXPECT_EQ((ConfigError{"a/g.toml", 0, 0, "bad"}).ToString(), "a/g.toml: bad");
}

TEST(ConfigErrors, Syntax) {
  const std::string start = "not TOML: Error while parsing ";
  const std::string control =
      start +
      "string: unescaped control characters other than TAB (U+0009) are explicitly prohibited";
  Expect({
      {"a@@", start + "key-value pair: encountered end-of-file"},
      {"[proxy@@\n", start + "table header: expected ']', saw '\\n'"},
      {"[proxy]\nworkers = 1 @@2\n",
       start + "key-value pair: expected a comment or whitespace, saw '2'"},
      {"[proxy]\nlisten = [\"a:1\"\n@@workers = 1\n",
       start + "array: expected comma or closing ']', saw 'w'"},
      {"[proxy]\nworkers = 1\nworkers = @@2\n",
       start + "key-value pair: cannot redefine existing integer 'workers'"},
      {"[proxy]\n@@[proxy]\n", start + "table header: cannot redefine existing table 'proxy'"},
      {"[log]\nlevel = \"info@@\n", control},
      {"a = \"\\@@q\"", start + "string: unknown escape sequence '\\q'"},
      {std::string("a = \"x@@\0\"", 10), control},
      {"a = \"x@@\x1b\"", control},
      {std::string("@@\0", 3),
       start + "root table: expected keys, tables, whitespace or comments, saw '\\u0000'"},
      {"a = 1 # \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\nb = '\xc3\xa9@@\xff'",
       "not text, expected UTF-8"},
      {"a = \"@@\xc0\x80\"", "not text, expected UTF-8"},          // too long
      {"a = \"@@\xe0\x9f\xbf\"", "not text, expected UTF-8"},      // too long
      {"a = \"@@\xed\xa0\x80\"", "not text, expected UTF-8"},      // a surrogate
      {"a = \"@@\xf4\x90\x80\x80\"", "not text, expected UTF-8"},  // above U+10FFFF
      {"a = \"x\"\n#@@\xe2\x82", "not text, expected UTF-8"},      // cut
      {"a = \"@@\xff\"", "not text, expected UTF-8"},
      {"@@\xff\xfe", "not text, expected UTF-8"},
  });
}

TEST(ConfigErrors, NotAscii) {
  const std::string message =
      "a non-ASCII character outside strings and comments or after a backslash, expected ASCII "
      "here";
  Expect({
      {"@@\xc3\xa9 = 1\n", message},
      {"a = 1\n@@\xc3\xa9 = 1\n", message},
      {"a\n = 1 @@\xc2\xa0# x\n", message},  // a no-break space
      {"\xef\xbb\xbf@@\xef\xbb\xbf", message},
      {"a = 07:32:0@@\xcf\xa5\n", message},
      {"a = 1_'@@\xc3\xa9'\n", message},
      {"a = 1.'@@\xc3\xa9'\n", message},
      {"a = 1 '@@\xc3\xa9'\n", message},
      {"a = [1, '\xc3\xa9' '@@\xc3\xa9']\n", message},
      {"'\xc3\xa9' = @@\xc3\xa9\n", message},
      {"a = \"\\@@\xc3\xa9\"\n", message},
      {"a = \"\"\"\\@@\xc3\xa9\"\"\"\n", message},
      {"a = \"\"\"x\\\\\\ \r\n\t\n @@\xc3\xa9\"\"\"\n", message},
  });
  ConfigError error;
  EXPECT_TRUE(LoadConfigText(
      "\xef\xbb\xbf# \xc3\xa9\n[proxy]\npassword = \"\\\\\xc3\xa9\"\nstate_dir = '\\\xc3\xa9'\n"
      "listen = [ 'unix:/\xc3\xa9' , # \xc3\xa9\r\n 'unix:/\xc3\xa9\xc3\xa9' ]\nuser='\xc3\xa9'\n"
      "[log]\nfile = \"\"\"\xc3\xa9\\\n x\xc3\xa9 \xc3\xa9\"\"\"\n" +
          std::string(kShard),
      "g.toml", &error))
      << error.ToString();
}

TEST(ConfigErrors, UnknownKeys) {
  Expect({
      {Sharded("[proxy]\n@@worker = 1"),
       "unknown key \"worker\" in [proxy], did you mean workers?"},
      {Sharded("[proxy]\n  @@Listen = []"),
       "unknown key \"Listen\" in [proxy], did you mean listen?"},
      {Sharded("proxy.@@lisen = []"), "unknown key \"lisen\" in [proxy], did you mean listen?"},
      {Sharded("proxy = { @@lisen = [] }"),
       "unknown key \"lisen\" in [proxy], did you mean listen?"},
      {Sharded("[proxy]\n@@tls = true"),
       "unknown key \"tls\" in [proxy], expected one of listen, workers, scheduling, "
       "io_uring, state_dir, watch_config, databases, cluster, announce, protected_mode, "
       "protected_configs, user, "
       "password, allow_readable_secrets"},
      {Sharded("[ring]\n@@\"hash-tag\" = \"{}\""),
       "unknown key \"hash-tag\" in [ring], did you mean hash_tag?"},
      {Sharded("[ring]\n@@seed = 1"),
       "unknown key \"seed\" in [ring], expected one of distribution, points, hash, hash_tag, "
       "on_change, forget_keys_per_s"},
      {InShard("@@master = \"a:1\""),
       "unknown key \"master\" in [[shard]], expected one of name, primary, replicas, weight, "
       "user, "
       "password, database"},
      {Sharded("[write]\n@@acks = \"all\""), "unknown key \"acks\" in [write], did you mean ack?"},
      {Sharded("[write]\n@@wait = 1"),
       "unknown key \"wait\" in [write], expected one of ack, on_data_loss"},
      {Sharded("[read]\n@@form = \"all\""), "unknown key \"form\" in [read], did you mean from?"},
      {Sharded("[health]\n@@interval = 1"),
       "unknown key \"interval\" in [health], expected one of interval_ms, timeout_ms, "
       "min_timeout_ms, failures, failback, resolve_s"},
      {Sharded("[limits]\n@@max_client = 1"),
       "unknown key \"max_client\" in [limits], did you mean max_clients?"},
      {Sharded("[limits]\n@@x = 1"),
       "unknown key \"x\" in [limits], expected one of max_clients, max_bulk, max_args, "
       "max_inline, "
       "max_request, max_reply, client_pending, client_watched, "
       "client_subscriptions, tracking_table_max_keys, "
       "client_output, "
       "client_output_hard, subscriber_output, subscriber_output_soft, scripts, "
       "buffered, node_pending_bytes, node_pending, shard_held"},
      {Sharded("[timeouts]\n@@x = 1"),
       "unknown key \"x\" in [timeouts], expected one of connect_ms, request_ms, idle_s, drain_ms, "
       "reconnect_min_ms, reconnect_max_ms, keepalive_s"},
      {Sharded("[resync]\n@@x = 1"),
       "unknown key \"x\" in [resync], expected one of pause_ms, timeout_s, retry_ms, "
       "journal_keys, journal_bytes, repair_keys_per_s, max_parallel"},
      {Sharded("[audit]\n@@x = 1"),
       "unknown key \"x\" in [audit], expected one of keys_per_s, interval_s, max_value"},
      {Sharded("[removals]\n@@x = 1"),
       "unknown key \"x\" in [removals], expected one of follow, set_limits"},
      {Sharded("[log]\n@@x = 1"),
       "unknown key \"x\" in [log], expected one of level, file, rotate_bytes, rotate_files"},
      {Sharded("[[command]]\nname = \"a.b\"\n@@x = 1"),
       "unknown key \"x\" in [[command]], expected one of name, arity, write, first_key, last_key, "
       "key_step, deterministic"},
      {Sharded("[proxy]\n@@\"a\\nb\" = 1"),
       "unknown key \"a\\x0ab\" in [proxy], expected one of listen, workers, scheduling, "
       "io_uring, state_dir, watch_config, databases, cluster, announce, protected_mode, "
       "protected_configs, user, "
       "password, allow_readable_secrets"},
  });
}

TEST(ConfigErrors, UnknownSections) {
  const std::string all =
      "expected one of [proxy], [ring], [[shard]], [[user]], [write], [read], [health], [limits], "
      "[timeouts], "
      "[resync], [audit], [removals], [commands], [fleet], [slowlog], [latency], [metrics], "
      "[[command]], [tls], [[tls_cert]], [node_tls], [coordinator_tls], "
      "[log]";
  Expect({
      {Sharded("[@@prxy]\nworkers = 1"), "unknown section \"prxy\", did you mean [proxy]?"},
      {Sharded("[@@timeout]"), "unknown section \"timeout\", did you mean [timeouts]?"},
      {Sharded("[[@@shards]]\nname = \"a\""),
       "unknown section \"shards\", did you mean [[shard]]?"},
      {Sharded("[@@cluster]"), "unknown section \"cluster\", " + all},
      {Sharded("[@@cluster.x]"), "unknown section \"cluster\", " + all},
      {Sharded("@@workers = 2"), "unknown key \"workers\" outside any section, " + all},
      {Sharded("@@logs = 2"), "unknown key \"logs\" outside any section, did you mean [log]?"},
      {Sharded("[proxy.@@listen2]"), "unknown key \"listen2\" in [proxy], did you mean listen?"},
  });
}

TEST(ConfigErrors, WrongSections) {
  Expect({
      {Sharded("proxy = @@5"), "proxy: expected one section [proxy], found the integer 5"},
      {Sharded("@@[[ring]]"), "ring: expected one section [ring], found an array of tables"},
      {"@@[shard]\nname = \"a\"\n",
       "shard: expected sections [[shard]] in double brackets, found a table"},
      {"shard = @@\"a\"\n",
       "shard: expected sections [[shard]] in double brackets, found the string \"a\""},
      {"shard = [@@1]\n",
       "shard: expected sections [[shard]] in double brackets, found the integer 1"},
      {Sharded("@@[command]\nname = \"a\""),
       "command: expected sections [[command]] in double brackets, found a table"},
  });
}

TEST(ConfigErrors, WrongTypes) {
  const std::string addresses =
      "expected an array of addresses such as [\"127.0.0.1:6379\"], found ";
  const std::string address =
      "expected an address such as \"127.0.0.1:6379\" or \"unix:/run/redis.sock\", found ";
  Expect({
      {Sharded("[proxy]\nlisten = @@\"127.0.0.1:1\""),
       "[proxy] listen: " + addresses + "the string \"127.0.0.1:1\""},
      {Sharded("[proxy]\nlisten = [\"127.0.0.1:1\",\n  @@6380]"),
       "[proxy] listen: " + addresses + "the integer 6380"},
      {Sharded("[proxy]\nworkers = @@\"two\""),
       "[proxy] workers: expected an integer from 0 to 256, found the string \"two\""},
      {Sharded("[proxy]\nworkers = @@1.0"),
       "[proxy] workers: expected an integer from 0 to 256, found the float 1"},
      {Sharded("[proxy]\nstate_dir = @@false"),
       "[proxy] state_dir: expected a path as a string, found false"},
      {Sharded("[proxy]\nuser = @@1979-05-27"),
       "[proxy] user: expected a string, found a date or time"},
      {Sharded("[proxy]\nscheduling = @@\"idle\""),
       "[proxy] scheduling: expected one of \"batch\", \"normal\", found the string \"idle\""},
      {Sharded("[proxy]\ncluster = @@1"),
       "[proxy] cluster: expected true or false, found the integer 1"},
      {Sharded("[proxy]\nannounce = @@\"unix:/run/g.sock\""),
       "[proxy] announce: expected an address such as \"cache.example.org:6379\", or \"\", found "
       "\"unix:/run/g.sock\""},
      {Sharded("[proxy]\nprotected_mode = @@\"yes\""),
       "[proxy] protected_mode: expected true or false, found the string \"yes\""},
      {Sharded("[proxy]\nprotected_configs = @@true"),
       "[proxy] protected_configs: expected one of \"no\", \"yes\", \"local\", found true"},
      {Sharded("[proxy]\nwatch_config = @@\"yes\""),
       "[proxy] watch_config: expected true or false, found the string \"yes\""},
      // A password is not shown.
      {Sharded("[proxy]\npassword = @@12345"),
       "[proxy] password: expected a string, found an integer"},
      {Sharded("[proxy]\npassword = @@1.5"), "[proxy] password: expected a string, found a float"},
      {Sharded("[proxy]\npassword = @@true"),
       "[proxy] password: expected a string, found a boolean"},
      {Sharded("[proxy]\npassword = @@[\"a\"]"),
       "[proxy] password: expected a string, found an array"},
      {InShard("password = @@12345"), "[[shard]] password: expected a string, found an integer"},
      {"[[shard]]\nname = @@1\nprimary = \"a:1\"\n",
       "[[shard]] name: expected a string, found the integer 1"},
      {"[[shard]]\nname = \"a\"\nprimary = @@7001\n",
       "[[shard]] primary: " + address + "the integer 7001"},
      {"[[shard]]\nname = \"a\"\nprimary = @@[\"a:1\"]\n",
       "[[shard]] primary: " + address + "an array"},
      {InShard("replicas = @@\"a:1\""), "[[shard]] replicas: " + addresses + "the string \"a:1\""},
      {InShard("replicas = [@@[]]"), "[[shard]] replicas: " + addresses + "an array"},
      {InShard("weight = @@{}"),
       "[[shard]] weight: expected an integer from 1 to 1000, found a table"},
      {InShard("database = @@\"0\""),
       "[[shard]] database: expected an integer from 0 to 1023, found the string \"0\""},
      {Sharded("[log]\nfile = @@[{}]"),
       "[log] file: expected a path as a string, found an array of tables"},
      {Sharded("[[command]]\nname = @@1"),
       "[[command]] name: expected a string, found the integer 1"},
      {Sharded("[[command]]\nname = \"a\"\nwrite = @@1"),
       "[[command]] write: expected true or false, found the integer 1"},
      {Sharded("[[command]]\nname = \"a\"\ndeterministic = @@\"yes\""),
       "[[command]] deterministic: expected true or false, found the string \"yes\""},
  });
}

TEST(ConfigErrors, Choices) {
  Expect({
      {Sharded("[write]\nack = @@\"none\""),
       "[write] ack: expected one of \"all\", \"primary\", \"any\", found the string \"none\""},
      {Sharded("[write]\nack = @@\"ALL\""),
       "[write] ack: expected one of \"all\", \"primary\", \"any\", found the string \"ALL\""},
      {Sharded("[write]\nack = @@1"),
       "[write] ack: expected one of \"all\", \"primary\", \"any\", found the integer 1"},
      {Sharded("[read]\nfrom = @@\"any\""),
       "[read] from: expected one of \"primary\", \"replica\", \"balanced\", found the string "
       "\"any\""},
      {Sharded("[log]\nlevel = @@\"trace\""),
       "[log] level: expected one of \"debug\", \"info\", \"warn\", \"error\", found the string "
       "\"trace\""},
      {Sharded("[ring]\non_change = @@\"move\""),
       "[ring] on_change: expected \"forget\", found the string \"move\""},
      {Sharded("[ring]\ndistribution = @@\"ketama\""),
       "[ring] distribution: expected \"ring\", found the string \"ketama\""},
      {Sharded("[ring]\nhash = @@\"fnv1a_64\""),
       "[ring] hash: expected \"xxh3\", found the string \"fnv1a_64\""},
  });
}

TEST(ConfigErrors, HashTag) {
  const std::string expected =
      "[ring] hash_tag: expected two characters such as \"{}\", or \"\" for none, found ";
  Expect({
      {Sharded("[ring]\nhash_tag = @@\"{\""), expected + "\"{\""},
      {Sharded("[ring]\nhash_tag = @@\"{{}}\""), expected + "\"{{}}\""},
      {Sharded("[ring]\nhash_tag = @@\"\xc3\xa9\""), expected + "\"\xc3\xa9\""},
      {Sharded("[ring]\nhash_tag = @@\"a\\n\""), expected + "\"a\\x0a\""},
      {Sharded("[ring]\nhash_tag = @@1"), expected + "the integer 1"},
  });
}

TEST(ConfigErrors, Addresses) {
  Expect({
      {Sharded("[proxy]\nlisten = [\"127.0.0.1:1\", @@\"127.0.0.1\"]"),
       "[proxy] listen: bad address \"127.0.0.1\", expected host:port, [v6]:port or unix:/path"},
      {Sharded("[proxy]\nlisten = [@@\"127.0.0.1:0\"]"),
       "[proxy] listen: bad address \"127.0.0.1:0\", expected a port from 1 to 65535"},
      {Sharded("[proxy]\nlisten = @@[]"),
       "[proxy] listen: expected at least one address, found none"},
      {"[[shard]]\nname = \"a\"\nprimary = @@\"127.0.0.1:0\"\n",
       "[[shard]] primary: bad address \"127.0.0.1:0\", expected a port from 1 to 65535"},
      {"[[shard]]\nname = \"a\"\nprimary = @@\"\"\n",
       "[[shard]] primary: bad address \"\", expected host:port, [v6]:port or unix:/path"},
      {"[[shard]]\nname = \"a\"\nprimary = @@\"::1:7001\"\n",
       "[[shard]] primary: bad address \"::1:7001\", expected a v6 address to be in brackets, as "
       "in "
       "[::1]:6380"},
      {InShard("replicas = [\"a:1\",\n            @@\"a:b\"]"),
       "[[shard]] replicas: bad address \"a:b\", expected a port from 1 to 65535"},
      // Columns count characters, not bytes.
      {InShard("user = \"\xc3\xa9\"\npassword = \"p\"\nreplicas = ['unix:/\xc3\xa9', @@'b']"),
       "[[shard]] replicas: bad address \"b\", expected host:port, [v6]:port or unix:/path"},
      {InShard(
           "replicas = [\"r:1\", \"r:2\", \"r:3\", \"r:4\", \"r:5\", \"r:6\", \"r:7\", \"r:8\", "
           "\"r:9\", \"r:10\", \"r:11\", \"r:12\", \"r:13\", \"r:14\", \"r:15\", @@\"r:16\"]"),
       "[[shard]] replicas: expected at most 15 of them"},
  });
}

TEST(ConfigErrors, Names) {
  const std::string expected = ", expected 1 to 64 of the characters A-Z a-z 0-9 _ . : -";
  auto named = [](const std::string& name) {
    return "[[shard]]\nname = @@\"" + name + "\"\nprimary = \"a:1\"\n";
  };
  Expect({
      {named(""), "[[shard]] name: bad name \"\"" + expected},
      {named("a b"), "[[shard]] name: bad name \"a b\"" + expected},
      {named("a/b"), "[[shard]] name: bad name \"a/b\"" + expected},
      {named("\xc3\xa9"), "[[shard]] name: bad name \"\xc3\xa9\"" + expected},
      {named("a\\u0000"), "[[shard]] name: bad name \"a\\x00\"" + expected},
      {named(std::string(65, 'a')),
       "[[shard]] name: bad name \"" + std::string(64, 'a') + "...\"" + expected},
  });
}

TEST(ConfigErrors, UsersAndPaths) {
  const std::string user =
      ", expected at most 256 characters without spaces and control characters";
  Expect({
      {Sharded("[proxy]\nuser = @@\"app\""),
       "[proxy] user: user \"app\" has no password, expected one beside it"},
      {Sharded("[proxy]\npassword = \"\"\nuser = @@\"app\""),
       "[proxy] user: user \"app\" has no password, expected one beside it"},
      {InShard("user = @@\"app\""),
       "[[shard]] user: user \"app\" has no password, expected one beside it"},
      {InShard("password = \"p\"\nuser = @@\"a b\""),
       "[[shard]] user: bad user name \"a b\"" + user},
      {InShard("password = \"p\"\nuser = @@\"a\\n\""),
       "[[shard]] user: bad user name \"a\\x0a\"" + user},
      {InShard("password = \"p\"\nuser = @@\"" + std::string(257, 'u') + "\""),
       "[[shard]] user: bad user name \"" + std::string(64, 'u') + "...\"" + user},
      // The wrong password is the mistake, not the user that lacks one.
      {InShard("user = \"app\"\npassword = @@1"),
       "[[shard]] password: expected a string, found an integer"},
      {Sharded("[proxy]\nstate_dir = @@\"\""),
       "[proxy] state_dir: empty path, expected that of a folder"},
      {Sharded("[proxy]\nstate_dir = @@\"a\\u0000b\""),
       "[proxy] state_dir: bad path \"a\\x00b\", expected no control characters"},
      {Sharded("[log]\nfile = @@\"a\\nb\""),
       "[log] file: bad path \"a\\x0ab\", expected no control characters"},
  });
}

TEST(ConfigErrors, Missing) {
  const std::string name =
      "[[shard]] has no name, expected a name of 1 to 64 of the characters A-Z a-z 0-9 _ . : -";
  const std::string primary =
      "[[shard]] has no primary, expected an address such as \"127.0.0.1:6379\" or "
      "\"unix:/run/redis.sock\"";
  Expect({
      {"# nothing\n", "no shard, expected at least one section [[shard]]"},
      {"[proxy]\nworkers = 2\n", "no shard, expected at least one section [[shard]]"},
      {"shard = []\n", "no shard, expected at least one section [[shard]]"},
      {"\n  @@[[shard]]\nprimary = \"a:1\"\n", name},
      {"[[shard]]\nname = \"a\"\nprimary = \"a:1\"\n\n@@[[shard]]\nname = \"b\"\n", primary},
      {Sharded("@@[[command]]\narity = 2"),
       "[[command]] has no name, expected the name of a command in lower case"},
      // What is written wrongly comes first: here it is why something is missing.
      {"[[shard]]\nname = \"a\"\n@@primry = \"a:1\"\n",
       "unknown key \"primry\" in [[shard]], did you mean primary?"},
      {"[[@@shrd]]\nname = \"a\"\n", "unknown section \"shrd\", did you mean [[shard]]?"},
  });
}

}  // namespace
}  // namespace gemel::config_errors_test
