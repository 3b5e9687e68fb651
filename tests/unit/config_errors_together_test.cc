// Mistakes that several options or sections make together, which of several is named, and those of
// [[command]]: the message, whole, and its exact place.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/config_errors.h"

namespace gemel::config_errors_test {
namespace {

TEST(ConfigErrors, FirstOfTheFile) {
  Expect({
      {"[log]\nlevel = @@1\n[proxy]\nworkers = \"x\"\n",
       "[log] level: expected one of \"debug\", \"info\", \"warn\", \"error\", found the integer "
       "1"},
      {Sharded("[proxy]\n@@zzzzz = 1\nworkers = 999\n"),
       "unknown key \"zzzzz\" in [proxy], expected one of listen, workers, scheduling, "
       "io_uring, state_dir, watch_config, databases, cluster, announce, protected_mode, "
       "protected_configs, user, "
       "password, allow_readable_secrets"},
      {Sharded("[proxy]\nworkers = @@999\nzzzzz = 1\n"),
       "[proxy] workers: expected an integer from 0 to 256, found the integer 999"},
  });
}

TEST(ConfigErrors, Duplicates) {
  const std::string a = "[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:7101\"\n";
  const std::string copy = "expected another server for each copy";
  Expect({
      {a + "[[shard]]\nname = @@\"a\"\nprimary = \"127.0.0.1:7102\"\n",
       "shard name \"a\" is given twice, first at line 2, expected another name"},
      {a + "replicas = [@@\"127.0.0.1:7101\"]\n",
       "node \"127.0.0.1:7101\" is twice in shard \"a\", first at line 3, " + copy},
      {a + "replicas = [\"r:1\",\n @@\"R:1\"]\n",
       "node \"r:1\" is twice in shard \"a\", first at line 4, " + copy},
      {a + "replicas = [@@\"localhost:7101\"]\n",
       "node \"localhost:7101\" is twice in shard \"a\", first at line 3, " + copy},
      {a + "replicas = [\"[::2]:1\", @@\"[0::2]:1\"]\n",
       "node \"[::2]:1\" is twice in shard \"a\", first at line 4, " + copy},
      {a + "replicas = [\"r:1\"]\n[[shard]]\nname = \"b\"\nprimary = @@\"r:1\"\n",
       "node \"r:1\" is in two shards, \"a\" (line 4) and \"b\", " + copy},
      {a + "[[shard]]\nname = \"b\"\nprimary = \"r:1\"\nreplicas = [@@\"127.0.0.1:7101\"]\n",
       "node \"127.0.0.1:7101\" is in two shards, \"a\" (line 3) and \"b\", " + copy},
      {Sharded("[proxy]\nlisten = [\"127.0.0.1:1\", @@\"127.0.0.1:1\"]"),
       "listen address \"127.0.0.1:1\" is given twice, first at line 2, expected each one once"},
      {Sharded("[proxy]\nlisten = [\"unix:/a\", \"[::1]:1\",\n@@\"[0:0::1]:1\"]"),
       "listen address \"[::1]:1\" is given twice, first at line 2, expected each one once"},
      {Sharded("[[command]]\nname = \"a.b\"\n[[command]]\nname = @@\"a.b\""),
       "command \"a.b\" is given twice, first at line 2, expected each one once"},
  });
}

TEST(ConfigErrors, ListensOnANode) {
  auto message = [](const std::string& node, const std::string& where) {
    return "node \"" + node + "\" is also an address that gemel listens on (" + where +
           "), expected the address of a Redis server";
  };
  auto with = [](const std::string& listen, const std::string& node) {
    return "[proxy]\nlisten = [\"" + listen + "\"]\n[[shard]]\nname = \"a\"\nprimary = @@\"" +
           node + "\"\n";
  };
  Expect({
      {with("10.0.0.1:1", "10.0.0.1:1"), message("10.0.0.1:1", "at line 2")},
      {with("unix:/a", "unix:/a"), message("unix:/a", "at line 2")},
      {with("127.0.0.1:1", "localhost:1"), message("localhost:1", "at line 2")},
      {with("localhost:1", "127.0.0.1:1"), message("127.0.0.1:1", "at line 2")},
      {with("0.0.0.0:1", "127.0.0.1:1"), message("127.0.0.1:1", "at line 2")},
      {with("0.0.0.0:1", "localhost:1"), message("localhost:1", "at line 2")},
      {with("[::]:1", "[::1]:1"), message("[::1]:1", "at line 2")},
      {with("[::]:1", "127.0.0.1:1"), message("127.0.0.1:1", "at line 2")},
      {"[[shard]]\nname = \"a\"\nprimary = \"r:1\"\nreplicas = [@@\"127.0.0.1:6380\"]\n",
       message("127.0.0.1:6380", "by default")},
  });
  ConfigError error;
  for (auto [listen, node] : {std::pair("0.0.0.0:1", "127.0.0.1:2"),
                              {"0.0.0.0:1", "10.0.0.1:1"},
                              {"0.0.0.0:1", "[::1]:1"},
                              {"127.0.0.1:1", "[::1]:1"}}) {
    std::string text = with(listen, node);
    text.erase(text.find("@@"), 2);
    EXPECT_TRUE(LoadConfigText(text, "g.toml", &error)) << error.ToString() << "\n" << text;
  }
}

TEST(ConfigErrors, TotalPoints) {
  auto message = [](const std::string& shard, const std::string& total) {
    return "with shard \"" + shard + "\" the ring has " + total +
           " points, expected weight times points of all shards to be at most 4194304";
  };
  const std::string a = "[[shard]]\nname = \"a\"\nprimary = \"a:1\"\n";
  const std::string b = "[[shard]]\nname = \"b\"\nprimary = \"b:1\"\n";
  Expect({
      {"[ring]\npoints = 65536\n" + a + "weight = @@65\n", message("a", "4259840")},
      {"[ring]\npoints = @@65536\n" + a + "weight = 64\n" + b, message("b", "4259840")},
  });
  ConfigError error;
  EXPECT_TRUE(LoadConfigText("ring.points = 65536\n" + a + "weight = 64\n", "g.toml", &error));

  std::string many;  // with the default points, and at last the default weight
  for (int i = 0; i < 5; i++) {
    const std::string text = std::to_string(i + 1);
    many += i < 4 ? "" : "@@";
    many += "[[shard]]\nname = \"" + text + "\"\nprimary = \"a:" + text + "\"\n";
    many += i < 4 ? "weight = 1000\n" : "";
  }
  many += "[[shard]]\nname = \"z\"\nprimary = \"z:1\"\nweight = 96\n";
  // 4 * 1000 + 1 + 95 is the most: without the last shard it is good.
  many.erase(many.find("@@"), 2);
  many.insert(many.rfind("96"), "@@");
  Expect({{many, message("z", "4195328")}});
}

TEST(ConfigErrors, Order) {
  Expect({
      {Sharded("[limits]\nmax_bulk = \"2gb\"\nmax_request = @@\"1gb\""),
       "[limits] max_request: expected max_request (1gb) to be at least max_bulk (2gb)"},
      {Sharded("[limits]\nmax_bulk = @@\"2gb\""),
       "[limits] max_bulk: expected max_request (1gb) to be at least max_bulk (2gb)"},
      {Sharded("[limits]\nmax_request = @@\"100mb\""),
       "[limits] max_request: expected max_request (100mb) to be at least max_bulk (512mb)"},
      {Sharded("[limits]\nclient_output = \"32mb\"\nclient_output_hard = @@\"16mb\""),
       "[limits] client_output_hard: expected client_output_hard (16mb) to be at least "
       "client_output "
       "(32mb)"},
      {Sharded("[limits]\nclient_output = @@\"4gb\""),
       "[limits] client_output: expected client_output_hard (2gb) to be at least client_output "
       "(4gb)"},
      {Sharded("[limits]\nsubscriber_output_soft = \"32mb\"\nsubscriber_output = @@\"16mb\""),
       "[limits] subscriber_output: expected subscriber_output (16mb) to be at least "
       "subscriber_output_soft (32mb)"},
      {Sharded("[timeouts]\nreconnect_min_ms = @@1001"),
       "[timeouts] reconnect_min_ms: expected reconnect_max_ms (1000) to be at least "
       "reconnect_min_ms (1001)"},
      {Sharded("[timeouts]\nreconnect_max_ms = @@19"),
       "[timeouts] reconnect_max_ms: expected reconnect_max_ms (19) to be at least "
       "reconnect_min_ms "
       "(20)"},
      // The wrong value is the mistake, not what follows from its default.
      {Sharded("[limits]\nmax_bulk = \"2gb\"\nmax_request = @@\"lots\""),
       "[limits] max_request: expected a size from 1kb to 64gb (bytes, or a string such as "
       "\"64mb\"), "
       "found the string \"lots\""},
  });
}

TEST(ConfigErrors, Commands) {
  auto command = [](const std::string& lines) {
    return Sharded("[[command]]\nname = \"a.b\"\n" + lines);
  };
  auto named = [](const std::string& name) {
    return Sharded("[[command]]\nname = @@\"" + name + "\"");
  };
  const std::string name = ", expected 1 to 64 of the characters a-z 0-9 _ . - (lower case)";
  Expect({
      {named(""), "[[command]] name: bad command name \"\"" + name},
      {named("JSON.SET"), "[[command]] name: bad command name \"JSON.SET\"" + name},
      {named("post"),
       "[[command]] name: bad command name \"post\", expected another: browsers begin with it, and "
       "who sends it is cut off"},
      {named("a b"), "[[command]] name: bad command name \"a b\"" + name},
      {named("a|b"), "[[command]] name: bad command name \"a|b\"" + name},
      {named(std::string(65, 'a')),
       "[[command]] name: bad command name \"" + std::string(64, 'a') + "...\"" + name},
      {command("arity = @@0"),
       "[[command]] arity: expected the number of arguments with the name, or if negative the "
       "least "
       "number, but not 0"},
      {command("arity = @@1025"),
       "[[command]] arity: expected an integer from -1024 to 1024, found the integer 1025"},
      {command("first_key = @@-1"),
       "[[command]] first_key: expected an integer from 0 to 1024, found the integer -1"},
      {command("last_key = @@-1025"),
       "[[command]] last_key: expected an integer from -1024 to 1024, found the integer -1025"},
      {command("key_step = @@-1"),
       "[[command]] key_step: expected an integer from 0 to 1024, found the integer -1"},
      {command("key_step = @@0"),
       "[[command]] key_step: expected at least 1, because the command has keys"},
      {command("last_key = @@0"),
       "[[command]] last_key: expected at least first_key (1), or a negative number, which counts "
       "from the end"},
      {command("first_key = 3\nlast_key = @@2"),
       "[[command]] last_key: expected at least first_key (3), or a negative number, which counts "
       "from the end"},
      {command("first_key = 0\nlast_key = @@1"),
       "[[command]] last_key: expected 0 or nothing, because first_key = 0 means no keys"},
      {command("first_key = 0\nkey_step = @@1"),
       "[[command]] key_step: expected 0 or nothing, because first_key = 0 means no keys"},
      {command("arity = 2\nfirst_key = @@2"),
       "[[command]] first_key: expected at most 1, because arity = 2 leaves no more arguments"},
      {command("arity = 2\nlast_key = @@2"),
       "[[command]] last_key: expected at most 1, because arity = 2 leaves no more arguments"},
      {command("arity = @@1"),
       "[[command]] first_key: expected at most 0, because arity = 1 leaves no more arguments"},
      {command("deterministic = @@true"),
       "[[command]] deterministic: expected write = true beside it, because it says what a write "
       "does"},
      {command("write = false\ndeterministic = @@true"),
       "[[command]] deterministic: expected write = true beside it, because it says what a write "
       "does"},
      // The wrong value is the mistake, not what follows from its default.
      {command("deterministic = true\nwrite = @@1"),
       "[[command]] write: expected true or false, found the integer 1"},
      {command("arity = 1\nfirst_key = @@\"0\""),
       "[[command]] first_key: expected an integer from 0 to 1024, found the string \"0\""},
      {command("last_key = 0\nfirst_key = @@\"0\""),
       "[[command]] first_key: expected an integer from 0 to 1024, found the string \"0\""},
  });
}

}  // namespace
}  // namespace gemel::config_errors_test
