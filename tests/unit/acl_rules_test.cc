// Rules of users: what they make of a user, what is refused, how it is told, and what it then may.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "backend/acl/acl_categories.h"
#include "backend/acl/acl_user.h"
#include "backend/acl/password_hash.h"

namespace gemel::acl_rules_test {
namespace {

using Words = std::vector<std::string>;

Words Split(std::string_view line) {
  Words words;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    if (end > 0) words.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

class AclRules : public testing::Test {
 protected:
  AclUser User(std::string_view rules) {
    AclUser user(catalog_, "u");
    EXPECT_EQ(user.ApplyAll(catalog_, Split(rules)), "") << rules;
    return user;
  }
  std::string Mistake(std::string_view rules) {
    AclUser user(catalog_, "u");
    return user.ApplyAll(catalog_, Split(rules));
  }
  // What of the command the user may not: "", "command", or the key or channel.
  std::string Denied(const AclUser& user, std::string_view line) {
    const Words words = Split(line);
    const std::vector<std::string_view> args(words.begin(), words.end());
    const CommandRow* row = table_.Find(args);
    if (row == nullptr) return "unknown";
    std::vector<uint32_t> keys;
    uint32_t at = 0;
    switch (user.Check(catalog_, *row, args, &keys, &at)) {
      case AclDenied::kNothing:
        return "";
      case AclDenied::kCommand:
        return "command";
      case AclDenied::kKey:
        return "key " + words[at];
      case AclDenied::kChannel:
        return "channel " + words[at];
    }
    return "?";
  }

  CommandTable table_;
  AclCatalog catalog_{&table_};
};

TEST_F(AclRules, AreToldAsRedisTellsThem) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "off resetchannels -@all"},
      {"on nopass ~* &* +@all", "on nopass ~* &* +@all"},
      {"on ALLKEYS AllChannels allcommands nopass", "on nopass ~* &* +@all"},
      {"+get ~a ~b ~a %R~c %W~c %r~d", "off ~a ~b ~c %R~d resetchannels -@all +get"},
      {"%RW %R", "off ~ resetchannels -@all"},
      {"&news:* &x &x", "off resetchannels &news:* &x -@all"},
      {"+@all -@dangerous", "off resetchannels +@all -@dangerous"},
      {"+@read -get", "off resetchannels -@all +@read -get"},
      {"+config -config|set", "off resetchannels -@all +config -config|set"},
      {"+config|get", "off resetchannels -@all +config|get"},
      {"+select|0 +select|1 +select|0", "off resetchannels -@all +select|0 +select|1"},
      {"+select|0 -select", "off resetchannels -@all"},
      {"sanitize-payload", "off sanitize-payload resetchannels -@all"},
      {"skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all"},
      {"(~a +get) ( ~b +set )",
       "off resetchannels -@all (~a resetchannels -@all +get) (~b "
       "resetchannels -@all +set)"},
      {"(~a +get) clearselectors", "off resetchannels -@all"},
      {"on nopass +@all ~* &* (+get) reset", "off sanitize-payload resetchannels -@all"},
      {"~a resetkeys ~b", "off ~b resetchannels -@all"},
      {"&a resetchannels &b", "off resetchannels &b -@all"},
      {"+@all -@all +ping", "off resetchannels -@all +ping"},
      {"allcommands nocommands", "off resetchannels -@all"},
  };
  for (const auto& [rules, told] : cases) {
    EXPECT_EQ(User(rules).Describe(catalog_), told) << rules;
    // And told so it is the same user.
    const AclUser again = User(User(rules).Describe(catalog_));
    EXPECT_EQ(again.Describe(catalog_), told) << rules;
  }
}

TEST_F(AclRules, Mistakes) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"+foo", "'+foo': Unknown command or category name in ACL"},
      {"-config|x", "'-config|x': Unknown command or category name in ACL"},
      {"+config|x", "'+config|x': Unknown command or category name in ACL"},
      {"+@foo", "'+@foo': Unknown command or category name in ACL"},
      {"+config|get|x", "'+config|get|x': Allowing first-arg of a subcommand is not supported"},
      {"+select|", "'+select|': Syntax error"},
      {"-select|1", "'-select|1': Unknown command or category name in ACL"},
      {"-debug|object", "'-debug|object': Unknown command or category name in ACL"},
      {"bogus", "'bogus': Syntax error"},
      {"%X~a", "'%X~a': Syntax error"},
      {"%RR~a", "'%RR~a': Syntax error"},
      {"%~a", "'%~a': Syntax error"},
      {"%", "'%': Syntax error"},
      {"~* ~a",
       "'~a': Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does "
       "not "
       "have any effect. Try 'resetkeys' to start with an empty list of patterns"},
      {"&* &a",
       "'&a': Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and "
       "does "
       "not have any effect. Try 'resetchannels' to start with an empty list of channels"},
      {"<none", "'<none': The password you are trying to remove from the user does not exist"},
      {"#12ab",
       "'#12ab': The password hash must be exactly 64 characters and contain only lowercase "
       "hexadecimal characters"},
      {"(+foo)", "'(+foo)': Unknown command or category name in ACL"},
      {"(on)", "'(on)': Syntax error"},
  };
  for (const auto& [rules, told] : cases) {
    EXPECT_EQ(Mistake(rules), "Error in ACL SETUSER modifier " + std::string(told)) << rules;
  }
  EXPECT_EQ(Mistake("on (+get ~a"), "Unmatched parenthesis in acl selector starting at '(+get'.");
}

TEST_F(AclRules, Passwords) {
  const std::string hash = PasswordHash("abc");
  EXPECT_EQ(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  AclUser user = User("on >abc >abc >two");
  EXPECT_EQ(user.passwords().size(), 2u);
  EXPECT_TRUE(user.Takes(hash));
  EXPECT_TRUE(user.Takes(PasswordHash("two")));
  EXPECT_FALSE(user.Takes(PasswordHash("ab")));
  EXPECT_FALSE(user.Takes(""));
  EXPECT_EQ(user.Apply(catalog_, "<abc"), AclMistake::kNone);
  EXPECT_FALSE(user.Takes(hash));
  EXPECT_EQ(user.Apply(catalog_, "#" + hash), AclMistake::kNone);
  EXPECT_TRUE(user.Takes(hash));
  EXPECT_EQ(user.Apply(catalog_, "!" + hash), AclMistake::kNone);
  EXPECT_FALSE(user.Takes(hash));
  EXPECT_EQ(user.Apply(catalog_, "off"), AclMistake::kNone);
  EXPECT_FALSE(user.Takes(PasswordHash("two")));
  EXPECT_EQ(user.Apply(catalog_, "on"), AclMistake::kNone);
  EXPECT_EQ(user.Apply(catalog_, "nopass"), AclMistake::kNone);
  EXPECT_TRUE(user.Takes("whatever") && user.open());
  EXPECT_TRUE(user.passwords().empty());
  EXPECT_EQ(user.Apply(catalog_, ">x"), AclMistake::kNone);
  EXPECT_FALSE(user.open());
  std::string random;
  ASSERT_TRUE(RandomPassword(5, &random));
  EXPECT_EQ(random.size(), 5u);
}

TEST_F(AclRules, Commands) {
  const AclUser user = User("~* +@all -@dangerous +config|get -get +debug|object");
  EXPECT_EQ(Denied(user, "set a b"), "");
  EXPECT_EQ(Denied(user, "get a"), "command");
  EXPECT_EQ(Denied(user, "flushall"), "command");
  EXPECT_EQ(Denied(user, "config get x"), "");
  EXPECT_EQ(Denied(user, "config set x y"), "command");
  EXPECT_EQ(Denied(user, "proxy status"), "command");
  EXPECT_EQ(Denied(user, "proxy help"), "");
  EXPECT_EQ(Denied(user, "debug object k"), "");
  EXPECT_EQ(Denied(user, "debug sleep 0"), "command");
  // Whoever may nothing may say who it is.
  for (const char* line : {"auth x", "hello", "quit", "reset"}) {
    EXPECT_EQ(Denied(User(""), line), "") << line;
  }
  EXPECT_EQ(Denied(User("+select|0"), "select 0"), "");
  EXPECT_EQ(Denied(User("+select|0"), "select 1"), "command");
  EXPECT_EQ(Denied(User("+CONFIG|GET"), "config get a"), "");
}

// Whoever has no @admin can have no file written, nor see or change what is the operator's.
TEST_F(AclRules, OperatorsCommandsAreAdmin) {
  const AclUser user = User("~* &* +@all -@admin");
  for (const char* line : {"config get a",
                           "config set a b",
                           "config rewrite",
                           "config resetstat",
                           "save",
                           "bgsave",
                           "bgrewriteaof",
                           "acl save",
                           "acl load",
                           "acl setuser x",
                           "acl list",
                           "acl getuser x",
                           "acl log",
                           "proxy reload",
                           "proxy status",
                           "proxy shards",
                           "proxy events",
                           "proxy explain get",
                           "proxy promote a b",
                           "proxy resync a b",
                           "proxy audit x",
                           "proxy fleet",
                           "proxy drain a b",
                           "debug sleep 0",
                           "monitor",
                           "slowlog get",
                           "latency latest",
                           "client kill a",
                           "client list",
                           "shutdown",
                           "module load x",
                           "replicaof a b"}) {
    EXPECT_EQ(Denied(user, line), "command") << line;
  }
}

TEST_F(AclRules, Keys) {
  const AclUser user = User("+@all %R~r:* %W~w:* ~b:*");
  EXPECT_EQ(Denied(user, "get r:1"), "");
  EXPECT_EQ(Denied(user, "get w:1"), "key w:1");
  EXPECT_EQ(Denied(user, "get x"), "key x");
  EXPECT_EQ(Denied(user, "set w:1 v"), "");
  EXPECT_EQ(Denied(user, "set r:1 v"), "key r:1");
  EXPECT_EQ(Denied(user, "set w:1 v get"), "key w:1");
  EXPECT_EQ(Denied(user, "set b:1 v get"), "");
  EXPECT_EQ(Denied(user, "exists r:1 w:1 b:1"), "");
  EXPECT_EQ(Denied(user, "exists r:1 x"), "key x");
  EXPECT_EQ(Denied(user, "mget r:1 b:1 w:1"), "key w:1");
  EXPECT_EQ(Denied(user, "copy r:1 w:1"), "");
  EXPECT_EQ(Denied(user, "copy w:1 r:1"), "key w:1");
  EXPECT_EQ(Denied(user, "sunionstore w:1 r:1 r:2"), "");
  EXPECT_EQ(Denied(user, "sunionstore r:1 r:2"), "key r:1");
  EXPECT_EQ(Denied(user, "bitfield r:1 get u8 0"), "");
  EXPECT_EQ(Denied(user, "bitfield r:1 set u8 0 1"), "key r:1");
  EXPECT_EQ(Denied(user, "sort r:1 store w:1"), "");
  EXPECT_EQ(Denied(user, "sort r:1 store r:2"), "key r:2");
  EXPECT_EQ(Denied(user, "xread streams r:1 x 0 0"), "key x");
  EXPECT_EQ(Denied(user, "zunionstore w:1 2 r:1 w:2"), "key w:2");
  EXPECT_EQ(Denied(user, "lmpop 1 r:1 left"), "key r:1");
  EXPECT_EQ(Denied(user, "eval s 1 r:1"), "key r:1");
  EXPECT_EQ(Denied(user, "eval_ro s 1 r:1"), "");
  EXPECT_EQ(Denied(user, "watch x"), "key x");
  // What goes nowhere is not looked at.
  EXPECT_EQ(Denied(user, "eval s x x"), "");
  EXPECT_EQ(Denied(user, "ping"), "");
}

TEST_F(AclRules, Channels) {
  const AclUser user = User("+@all ~* &news:* &exact");
  EXPECT_EQ(Denied(user, "subscribe news:1 exact"), "");
  EXPECT_EQ(Denied(user, "subscribe news:1 other"), "channel other");
  EXPECT_EQ(Denied(user, "ssubscribe other"), "channel other");
  EXPECT_EQ(Denied(user, "psubscribe news:*"), "");
  EXPECT_EQ(Denied(user, "psubscribe news:1*"), "channel news:1*");
  EXPECT_EQ(Denied(user, "publish exact m"), "");
  EXPECT_EQ(Denied(user, "publish exact2 m"), "channel exact2");
  EXPECT_EQ(Denied(user, "spublish other m"), "channel other");
  EXPECT_EQ(Denied(user, "unsubscribe other"), "");
  EXPECT_TRUE(user.LosesChannels(User("&exact")));
  EXPECT_FALSE(user.LosesChannels(User("&exact &news:* &more")));
  EXPECT_FALSE(user.LosesChannels(User("(&*)")));
  EXPECT_TRUE(User("&*").LosesChannels(user));
  EXPECT_TRUE(user.AllowsChannel("news:2", false));
  EXPECT_FALSE(user.AllowsChannel("news:2", true));
}

// One selector has to allow all of a command; what is told is what comes nearest.
TEST_F(AclRules, Selectors) {
  const AclUser user = User("+get ~a (+set ~b) (+mget ~a ~c)");
  EXPECT_EQ(Denied(user, "get a"), "");
  EXPECT_EQ(Denied(user, "set b v"), "");
  EXPECT_EQ(Denied(user, "set a v"), "key a");
  EXPECT_EQ(Denied(user, "mget a c"), "");
  EXPECT_EQ(Denied(user, "mget a b"), "key b");
  EXPECT_EQ(Denied(user, "del a"), "command");
  EXPECT_FALSE(user.AllowsAll());
  EXPECT_TRUE(User("(+@all ~* &*)").AllowsAll());
}

TEST_F(AclRules, Scripts) {
  EXPECT_TRUE(User("+@all ~* &*").AllowsScripts(catalog_));
  EXPECT_TRUE(User("+@all -config -acl ~* &*").AllowsScripts(catalog_));
  EXPECT_FALSE(User("+@all -flushall ~* &*").AllowsScripts(catalog_));
  EXPECT_FALSE(User("+@all ~a* &*").AllowsScripts(catalog_));
  EXPECT_FALSE(User("+@all ~*").AllowsScripts(catalog_));
  AclUser trusted = User("+eval ~a");
  EXPECT_FALSE(trusted.AllowsScripts(catalog_));
  trusted.trusted_scripts = true;
  EXPECT_TRUE(trusted.AllowsScripts(catalog_));
}

TEST_F(AclRules, SortByOtherKeys) {
  const auto allows = [&](std::string_view rules) {
    const std::vector<std::string_view> args = {"sort", "a", "by", "w_*"};
    std::vector<uint32_t> keys;
    return User(rules).AllowsUnnamedKeys(catalog_, *table_.Find(args), args, &keys);
  };
  EXPECT_TRUE(allows("+sort ~*"));
  EXPECT_TRUE(allows("+sort %R~*"));
  EXPECT_FALSE(allows("+sort ~a ~w_*"));
  EXPECT_FALSE(allows("+sort ~a (%R~* +get)"));
}

}  // namespace
}  // namespace gemel::acl_rules_test
