// ACL, side by side with a redis-server: what it answers, and what its users may.

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "tests/e2e/look.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::acl_oracle_test {
namespace {

// Of gemel alone: what is its own, and what is of a later Redis.
bool IsOurs(const std::string& command) {
  return command.starts_with("proxy") || command == "client|setinfo";
}

// Redis lists single commands in an order that is another at each start.
std::string Sorted(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) {
    std::erase_if(word, [](char c) { return c == '[' || c == ']'; });
    if (!IsOurs(word.substr(word.empty() ? 0 : 1))) words.push_back(word);
  }
  std::sort(words.begin(), words.end());
  std::string all;
  for (const std::string& word : words) all += word + " ";
  return all;
}

class AclOracle : public testing::Test {
 protected:
  void Same(const std::string& line) {
    const Words words = WordsOf(line);
    EXPECT_EQ(ours_.Run(words).Text(), theirs_.Run(words).Text()) << line;
  }
  void SameWords(const std::string& line) {
    const Words words = WordsOf(line);
    EXPECT_EQ(Sorted(ours_.Run(words).Text()), Sorted(theirs_.Run(words).Text())) << line;
  }
  // The bytes, in both protocols.
  void SameBytes(const std::string& line) {
    const Words words = WordsOf(line);
    for (const char* version : {"2", "3"}) {
      Wire ours(world_.port());
      Wire theirs(node_.port());
      ours.Ask({"HELLO", version});
      theirs.Ask({"HELLO", version});
      EXPECT_EQ(ours.Ask(words), theirs.Ask(words)) << version << " " << line;
    }
  }

  ReloadWorld world_{{.shards = 1, .copies = 1}};
  RedisNode node_;
  Client ours_ = world_.Connect();
  Client theirs_ = node_.Connect();
};

TEST_F(AclOracle, AnswersAsRedis) {
  SameBytes("ACL WHOAMI");
  SameBytes("ACL LIST");
  SameBytes("ACL USERS");
  SameBytes("ACL GETUSER default");
  SameBytes("ACL GETUSER nobody");
  SameBytes("ACL CAT");
  SameBytes("ACL CAT nothing");
  SameBytes("ACL CAT read write");
  SameBytes("ACL HELP");
  SameBytes("ACL LOG");
  SameBytes("ACL LOG RESET");
  SameBytes("ACL LOG x");
  SameBytes("ACL LOG -1");
  SameBytes("ACL LOG 1 2");
  SameBytes("ACL GENPASS 0");
  SameBytes("ACL GENPASS 4097");
  SameBytes("ACL GENPASS x");
  SameBytes("ACL GENPASS 1 2");
  SameBytes("ACL NOTHING");
  SameBytes("ACL");
  SameBytes("ACL SETUSER");
  SameBytes("ACL DELUSER");
  SameBytes("ACL DELUSER default");
  SameBytes("ACL DELUSER nobody");
  SameBytes("ACL SETUSER a\\_b");
  for (const auto& [bits, digits] :
       {std::pair{"1", 1u}, {"5", 2u}, {"256", 64u}, {"4096", 1024u}}) {
    EXPECT_EQ(ours_("ACL", "GENPASS", bits).bytes.size(), digits);
    EXPECT_EQ(theirs_("ACL", "GENPASS", bits).bytes.size(), digits);
  }
  EXPECT_NE(ours_("ACL", "GENPASS").bytes, ours_("ACL", "GENPASS").bytes);
}

// Of Redis's commands those of each category are Redis's.
TEST_F(AclOracle, CategoriesAreRedis) {
  for (const Reply& category : theirs_("ACL", "CAT").items) {
    std::vector<std::string> ours;
    std::vector<std::string> theirs;
    for (const Reply& name : ours_("ACL", "CAT", category.bytes).items) {
      if (!IsOurs(name.bytes)) ours.push_back(name.bytes);
    }
    for (const Reply& name : theirs_("ACL", "CAT", category.bytes).items) {
      theirs.push_back(name.bytes);
    }
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
    EXPECT_FALSE(ours.empty()) << category;
    EXPECT_EQ(ours, theirs) << category;
  }
}

TEST_F(AclOracle, RulesMakeTheSameUsers) {
  for (const char* rules : {"",
                            "on",
                            "off",
                            "nopass",
                            "on nopass ~* &* +@all",
                            "reset",
                            "resetpass",
                            ">one >two",
                            "<one",
                            "<none",
                            "nopass",
                            ">three",
                            "!x",
                            "#x",
                            "#34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6",
                            "!34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6",
                            "sanitize-payload",
                            "skip-sanitize-payload",
                            "-@all",
                            "+get",
                            "+GET",
                            "+config|get",
                            "+config|nothing",
                            "-config|get",
                            "+config",
                            "-config|set",
                            "+select|0",
                            "+select|1",
                            "-select",
                            "+debug|object",
                            "-debug|object",
                            "+debug",
                            "+get|x",
                            "+get|",
                            "-get|x",
                            "+config|get|x",
                            "+@read",
                            "-@write",
                            "+@nothing",
                            "+nothing",
                            "@read",
                            "allcommands",
                            "-@dangerous",
                            "-@admin -@slow",
                            "nocommands",
                            "+@hash +@set -sadd",
                            "+@all -get -set",
                            "+@all -@hash -@slow +hget +hget",
                            "-@all +@connection +@stream +@fast",
                            "~a",
                            "~a ~b",
                            "~a",
                            "%R~a %W~c",
                            "%RW~d",
                            "%WR~d",
                            "%r~e",
                            "%RR~x",
                            "%X~x",
                            "%~x",
                            "%",
                            "%R",
                            "%RW",
                            "~*",
                            "~x",
                            "allkeys",
                            "resetkeys",
                            "~x",
                            "&a",
                            "&a &b*",
                            "&*",
                            "&x",
                            "allchannels",
                            "resetchannels",
                            "&x",
                            "(+get ~x)",
                            "(+get ~x) (%R~y +@read)",
                            "(+nothing)",
                            "(on)",
                            "(+get",
                            "( +set",
                            "()",
                            "clearselectors",
                            "bogus",
                            "",
                            "ON",
                            "NOPASS",
                            "on >p +@all ~* &* -@scripting"}) {
    SameWords("ACL SETUSER u " + std::string(rules));
    SameWords("ACL GETUSER u");
    SameWords("ACL LIST");
  }
  // Whoever has the same single commands tells of the same, whatever came before.
  const std::vector<Reply> names = theirs_("COMMAND", "LIST").items;
  for (size_t i = 0; i + 6 < names.size(); i += 7) {
    std::string rules = i % 2 == 0 ? "-@all +@list" : "+@all -@set";
    for (size_t j = 0; j < 6; ++j) {
      const std::string& name = names[i + j].bytes;
      rules += (j % 3 == 0 ? " -" : " +") + name;
    }
    SameWords("ACL SETUSER v " + rules);
    SameWords("ACL GETUSER v");
  }
}

TEST_F(AclOracle, DryRun) {
  for (Client* client : {&ours_, &theirs_}) {
    EXPECT_EQ((*client)("ACL", "SETUSER", "u", "+@all", "-@dangerous", "-get", "+select|0",
                        "-select", "+select|1", "%R~r:*", "%W~w:*", "~b:*", "&news:*", "&exact"),
              "OK");
    EXPECT_EQ((*client)("ACL", "SETUSER", "v", "+get", "~a", "(+set ~b)", "(+mget ~a ~c)"), "OK");
  }
  for (const char* user : {"u", "v", "default", "nobody"}) {
    for (const char* command : {"get r:1",
                                "getex b:1",
                                "set w:1 v",
                                "set r:1 v",
                                "set w:1 v get",
                                "set b:1 v get",
                                "exists r:1 w:1 b:1",
                                "exists x",
                                "mget r:1 b:1 w:1",
                                "mget r:1 b:1",
                                "mget a c",
                                "mget a b",
                                "set b 1",
                                "set a 1",
                                "copy r:1 w:1",
                                "copy w:1 r:1",
                                "rename b:1 b:2",
                                "rename r:1 w:1",
                                "sunionstore w:1 r:1",
                                "sunionstore r:1 r:2",
                                "sinterstore w:1 r:1",
                                "zunionstore w:1 2 r:1 w:2",
                                "zrangestore w:1 r:1 0 1",
                                "bitop and w:1 r:1 r:2",
                                "bitfield r:1 get u8 0",
                                "bitfield r:1 set u8 0 1",
                                "bitfield_ro r:1 get u8 0",
                                "sort r:1",
                                "sort_ro r:1",
                                "georadius r:1 0 0 1 m store w:1",
                                "georadius r:1 0 0 1 m store r:2",
                                "xread streams r:1 x 0 0",
                                "xread streams r:1 0",
                                "xreadgroup group g c streams r:1 >",
                                "lmpop 1 r:1 left",
                                "lmpop 1 b:1 left",
                                "blmove b:1 b:2 left left 0",
                                "lmove r:1 w:1 left left",
                                "smove b:1 w:1 m",
                                "eval s 1 r:1",
                                "evalsha s 1 x",
                                "fcall f 1 x",
                                "watch r:1",
                                "watch x",
                                "del w:1",
                                "del r:1",
                                "unlink w:1",
                                "touch x",
                                "expire w:1 1",
                                "expire r:1 1",
                                "ttl r:1",
                                "object encoding r:1",
                                "object encoding x",
                                "memory usage x",
                                "publish news:1 m",
                                "publish other m",
                                "spublish exact m",
                                "spublish other m",
                                "subscribe news:1 exact",
                                "subscribe news:1 other",
                                "ssubscribe other",
                                "psubscribe news:*",
                                "psubscribe news:1*",
                                "unsubscribe other",
                                "punsubscribe other",
                                "select 0",
                                "select 1",
                                "config get x",
                                "flushall",
                                "keys *",
                                "scan 0",
                                "dbsize",
                                "randomkey",
                                "auth x",
                                "hello",
                                "quit",
                                "ping",
                                "pfcount r:1",
                                "pfmerge w:1 r:1",
                                "getdel w:1",
                                "getdel b:1",
                                "append w:1 x",
                                "setrange w:1 0 x",
                                "strlen x",
                                "strlen r:1",
                                "hset w:1 f v",
                                "hget w:1 f",
                                "hlen w:1",
                                "type w:1",
                                "dump r:1",
                                "restore w:1 0 x",
                                "migrate h 1 r:1 0 1",
                                "get",
                                "nothing x",
                                "config nothing",
                                "client list",
                                "debug object r:1"}) {
      SameBytes("ACL DRYRUN " + std::string(user) + " " + command);
    }
  }
}

// What a user is answered who may not.
TEST_F(AclOracle, RefusalsAreRedis) {
  for (Client* client : {&ours_, &theirs_}) {
    EXPECT_EQ((*client)("RPUSH", "list", "b", "a"), ":2");
    EXPECT_EQ((*client)("ACL", "SETUSER", "u", "on", ">p", "+@all", "-@dangerous", "+sort", "-get",
                        "~b:*", "~list", "%R~r:*", "&news:*"),
              "OK");
    EXPECT_EQ((*client)("ACL", "SETUSER", "w", "on", ">p", "+sort", "%R~*"), "OK");
    EXPECT_EQ((*client)("ACL", "SETUSER", "x", "on", ">p", "+@all", "+acl|whoami"), "OK");
  }
  SameBytes("AUTH u wrong");
  SameBytes("AUTH nobody p");
  SameBytes("AUTH p");
  SameBytes("AUTH u p x");
  SameBytes("HELLO 3 AUTH u wrong");
  Same("AUTH u p");
  for (const char* line : {"ACL WHOAMI",
                           "ACL LIST",
                           "SET b:1 v",
                           "SET r:1 v",
                           "GET b:1",
                           "STRLEN r:1",
                           "STRLEN x",
                           "MGET r:1 b:1",
                           "MGET r:1 x",
                           "DEL b:1 r:1",
                           "CONFIG GET x",
                           "CONFIG SET x y",
                           "FLUSHALL",
                           "KEYS *",
                           "PUBLISH news:1 m",
                           "PUBLISH x m",
                           "PSUBSCRIBE x",
                           "SUBSCRIBE x",
                           "SSUBSCRIBE x",
                           "SPUBLISH x m",
                           "SORT list",
                           "SORT list ALPHA",
                           "SORT list BY nosort",
                           "SORT list BY w_*",
                           "SORT list GET x_*",
                           "SORT list ALPHA GET #",
                           "BLPOP x 0",
                           "XREAD STREAMS x 0",
                           "NOTHING x",
                           "CLIENT LIST",
                           "CLIENT ID x",
                           "MULTI",
                           "SET b:1 v",
                           "SET r:1 v",
                           "EXEC",
                           "MULTI",
                           "SET b:1 1",
                           "INCR b:1",
                           "EXEC",
                           "WATCH x",
                           "WATCH r:1",
                           "MULTI",
                           "AUTH u p",
                           "PUBLISH news:1 m",
                           "EXEC",
                           "AUTH w p",
                           "SORT list ALPHA BY w_* GET #",
                           "SORT list ALPHA GET x_*",
                           "GET list",
                           "AUTH x p",
                           "ACL WHOAMI",
                           "GET a",
                           "DBSIZE",
                           "SUBSCRIBE a",
                           "RESET",
                           "ACL WHOAMI",
                           "GET nothing"}) {
    Same(line);
  }
}

// By hand what differs only in the client: its addresses and times.
TEST_F(AclOracle, LogIsRedis) {
  for (const bool mine : {true, false}) {
    Client& client = mine ? ours_ : theirs_;
    EXPECT_EQ(client("ACL", "SETUSER", "u", "on", ">p", "+@all", "-get", "~b:*", "&n"), "OK");
    Client user = mine ? world_.Connect() : node_.Connect();
    EXPECT_TRUE(user("AUTH", "u", "wrong").IsError());
    EXPECT_EQ(user("AUTH", "u", "p"), "OK");
    EXPECT_TRUE(user("GET", "b:1").IsError());
    EXPECT_TRUE(user("GET", "b:1").IsError());
    EXPECT_TRUE(user("SET", "x", "v").IsError());
    EXPECT_TRUE(user("PUBLISH", "c", "v").IsError());
    EXPECT_EQ(user("MULTI"), "OK");
    EXPECT_TRUE(user("SET", "y", "v").IsError());
    EXPECT_TRUE(user("EXEC").IsError());
  }
  const Reply ours = ours_("ACL", "LOG");
  const Reply theirs = theirs_("ACL", "LOG");
  ASSERT_EQ(ours.items.size(), theirs.items.size());
  ASSERT_EQ(ours.items.size(), 5u);
  for (size_t i = 0; i < ours.items.size(); ++i) {
    ASSERT_EQ(ours.items[i].items.size(), theirs.items[i].items.size());
    for (const char* field : {"count", "reason", "context", "object", "username"}) {
      EXPECT_EQ(ours.items[i].Field(field).Text(), theirs.items[i].Field(field).Text()) << field;
    }
    EXPECT_TRUE(Has(ours.items[i].Field("client-info").bytes, " cmd=")) << ours;
    EXPECT_LT(std::stod(ours.items[i].Field("age-seconds").bytes), 60.0);
  }
  EXPECT_EQ(ours_("ACL", "LOG", "2").items.size(), 2u);
  EXPECT_EQ(ours_("ACL", "LOG", "RESET"), "OK");
  EXPECT_EQ(ours_("ACL", "LOG").items.size(), 0u);
}

}  // namespace
}  // namespace gemel::e2e::acl_oracle_test
