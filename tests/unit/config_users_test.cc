// [[user]] of the config: how rules are written, what is wrong with them, what users come of it;
// and how ACL SAVE changes the file.

#include <gtest/gtest.h>

#include "backend/acl/acl_users.h"
#include "config/config_edit_users.h"
#include "config/config_load.h"

namespace gemel::config_users_test {
namespace {

constexpr char kShard[] = "[[shard]]\nname = \"a\"\nprimary = \"h:1\"\n";

Config Load(const std::string& text) {
  ConfigError error;
  std::optional<Config> config = LoadConfigText(text + "\n" + kShard, "f", &error);
  EXPECT_TRUE(config) << error.ToString();
  if (config) return *config;
  Config none;
  none.pools.emplace_back();
  return none;
}

// Of the loader, or of the rules.
std::string Wrong(const std::string& text) {
  ConfigError error;
  const std::optional<Config> config = LoadConfigText(text + "\n" + kShard, "f", &error);
  if (!config) return error.ToString();
  const std::optional<ConfigError> wrong = CheckUsers(*config);
  return wrong ? wrong->ToString() : "";
}

// ACL LIST, without "user ".
std::string Users(const std::string& text) {
  const Config config = Load(text);
  const CommandTable table(config.pool().commands);
  const AclUsers users(config.pool(), &table, nullptr);
  std::string list;
  for (const auto& [name, user] : users.all()) {
    list += name + " " + user->Describe(users.catalog()) + "\n";
  }
  return list + "first: " + users.first()->name();
}

TEST(ConfigUsers, AreReadInEitherForm) {
  EXPECT_EQ(Users(""), "default on nopass ~* &* +@all\nfirst: default");
  const std::string hash = "#ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const std::string reader = "reader on " + hash + " ~c:* resetchannels &n -@all +get\n";
  const std::string all = "default on nopass ~* &* +@all\n";
  EXPECT_EQ(Users("[[user]]\nname = \"reader\"\nrules = \"on >abc  ~c:*\\t&n +get\""),
            all + reader + "first: default");
  EXPECT_EQ(Users("[[user]]\nname = \"reader\"\n"
                  "rules = [\"on\", \">abc\", \"~c:*\", \"&n\", \"+get\"]"),
            all + reader + "first: default");
  EXPECT_EQ(Load("[[user]]\nname = \"u\"\nrules = [\">a b\", \"(+get ~x)\"]").pool().users[0].rules,
            (std::vector<std::string>{">a b", "(+get ~x)"}));
  EXPECT_EQ(Users("[[user]]\nname = \"u\"\nrules = \"( ~x +get )\""),
            all + "u off resetchannels -@all (~x resetchannels -@all +get)\nfirst: default");
  EXPECT_TRUE(
      Load("[[user]]\nname = \"u\"\ntrusted_scripts = true").pool().users[0].trusted_scripts);
}

TEST(ConfigUsers, TheDefaultUser) {
  const std::string hash = "#ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(Users("[proxy]\npassword = \"abc\""),
            "default on " + hash + " ~* &* +@all\nfirst: default");
  EXPECT_EQ(Users("[proxy]\nuser = \"clerk\"\npassword = \"abc\""),
            "clerk on " + hash + " ~* &* +@all\ndefault off ~* &* +@all\nfirst: clerk");
  EXPECT_EQ(Users("[[user]]\nname = \"default\"\nrules = \"on nopass ~p:* +get\""),
            "default on nopass ~p:* resetchannels -@all +get\nfirst: default");
  // With both the password is that of [proxy].
  EXPECT_EQ(Users("[proxy]\npassword = \"abc\"\n"
                  "[[user]]\nname = \"default\"\nrules = \"on >x ~p:* +get\""),
            "default on " + hash + " ~p:* resetchannels -@all +get\nfirst: default");
}

TEST(ConfigUsers, Mistakes) {
  EXPECT_EQ(Wrong("[[user]]\nname = \"a\"\nrules = \"on\"\n[[user]]\nname = \"a\""),
            "f:5:8: user \"a\" is given twice, first at line 2, expected each one once");
  EXPECT_EQ(Wrong("[[user]]\nrules = \"on\""),
            "f:1:1: [[user]] has no name, expected the user's name");
  EXPECT_EQ(Wrong("[[user]]\nname = \"a b\""),
            "f:2:8: [[user]] name: bad user name \"a b\", expected at most 256 characters without "
            "spaces and control characters");
  EXPECT_EQ(Wrong("[[user]]\nname = \"a\"\nrules = \"on +foo\""),
            "f:3:9: [[user]] rules of 'a': Unknown command or category name in ACL: '+foo'");
  // What may be a password is not shown.
  EXPECT_EQ(Wrong("[[user]]\nname = \"a\"\nrules = \"on #secret\""),
            "f:3:9: [[user]] rules of 'a': The password hash must be exactly 64 characters and "
            "contain only lowercase hexadecimal characters");
  EXPECT_EQ(Wrong("[[user]]\nname = \"a\"\nrules = 77"),
            "f:3:9: [[user]] rules: expected Redis's ACL rules, such as \"on >password ~cache:* "
            "+@read\", or an array of them, found an integer");
  EXPECT_EQ(Wrong("[[user]]\nname = \"a\"\nrules = \"(+get >secret\""),
            "f:3:9: [[user]] rules of 'a': a selector is not closed: \"(\" without \")\"");
}

TEST(ConfigUsers, Prefixes) {
  const auto two = [](const std::string& a, const std::string& b) {
    return "[[user]]\nname = \"a\"\nprefix = \"" + a + "\"\n[[user]]\nname = \"b\"\nprefix = \"" +
           b + "\"";
  };
  EXPECT_EQ(Load(two("t1:", "t10:")).pool().users[1].prefix, "t10:");
  EXPECT_EQ(Load(two("t:", "t:")).pool().users[1].prefix, "t:");
  EXPECT_EQ(Load(two("", "t:")).pool().users[0].prefix, "");
  const Config config = Load(two("t*:", ""));
  const CommandTable table(config.pool().commands);
  const AclUsers users(config.pool(), &table, nullptr);
  EXPECT_EQ(users.Find("a")->prefix, "t*:");
  EXPECT_EQ(Wrong(two("t1", "t10")),
            "f:5:8: prefix \"t10\" of user \"b\" begins with prefix \"t1\" of user \"a\", who "
            "would see its "
            "keys, expected prefixes of which none begins with another (end each with \":\")");
  EXPECT_EQ(Wrong("[[user]]\nname = \"a\"\nprefix = \"a b\""),
            "f:3:10: [[user]] prefix: bad prefix \"a b\", expected at most 256 characters without "
            "spaces and control characters");
  // Another prefix makes another user.
  const Config other = Load(two("u:", ""));
  const AclUsers later(other.pool(), &table, &users);
  EXPECT_NE(later.Find("a"), users.Find("a"));
  EXPECT_EQ(later.Find("b"), users.Find("b"));
}

TEST(ConfigUsers, SecretsInClear) {
  EXPECT_FALSE(HasSecrets(Load("[[user]]\nname = \"a\"\nrules = \"on nopass\"")));
  EXPECT_TRUE(HasSecrets(Load("[[user]]\nname = \"a\"\nrules = \"on >x\"")));
  EXPECT_TRUE(HasSecrets(Load("[proxy]\npassword = \"x\"")));
  EXPECT_FALSE(
      HasSecrets(Load("[[user]]\nname = \"a\"\nrules = "
                      "\"#ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"")));
}

TEST(ConfigUsers, OrdersMakeRules) {
  const Config config = Load("[proxy]\npassword = \"abc\"\n[[user]]\nname = \"a\"\nrules = \"on\"");
  std::optional<std::string> rules;
  std::string error;
  ASSERT_TRUE(CarryOut({"a", {"+get", "~x"}}, config.pool(), &rules, &error));
  EXPECT_EQ(*rules, "on ~x resetchannels -@all +get");
  ASSERT_TRUE(CarryOut({"new", {}}, config.pool(), &rules, &error));
  EXPECT_EQ(*rules, "off resetchannels -@all");
  ASSERT_TRUE(CarryOut({"default", {"-@admin"}}, config.pool(), &rules, &error));
  EXPECT_EQ(*rules,
            "on #ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad ~* &* +@all "
            "-@admin");
  ASSERT_TRUE(CarryOut({"a", {}, true}, config.pool(), &rules, &error));
  EXPECT_FALSE(rules);
  EXPECT_FALSE(CarryOut({"a", {"+foo"}}, config.pool(), &rules, &error));
  EXPECT_EQ(error, "Error in ACL SETUSER modifier '+foo': Unknown command or category name in ACL");
}

std::string Edit(std::string text, std::string_view name, std::optional<std::string> rules) {
  std::string error;
  EXPECT_TRUE(SetUserRules(&text, name, rules, &error)) << error;
  return text;
}

TEST(ConfigEditUsers, ChangesTheOneTable) {
  const std::string before =
      "# all\n[proxy]\nworkers = 1 # one\n\n[[user]] # a\nname = \"a\"\nrules = [\"on\", # x\n"
      "  \"+get\"] # of a\n\n[[user]]\nrules = 'on' # of b\nname = 'b'\n\n[log]\nlevel = 'info'\n";
  EXPECT_EQ(Edit(before, "a", "off ~\"x\\"),
            "# all\n[proxy]\nworkers = 1 # one\n\n[[user]] # a\nname = \"a\"\n"
            "rules = \"off ~\\\"x\\\\\" # of a\n\n[[user]]\nrules = 'on' # of b\nname = 'b'\n\n"
            "[log]\nlevel = 'info'\n");
  EXPECT_EQ(
      Edit(before, "b", std::nullopt),
      "# all\n[proxy]\nworkers = 1 # one\n\n[[user]] # a\nname = \"a\"\nrules = [\"on\", # x\n"
      "  \"+get\"] # of a\n\n[log]\nlevel = 'info'\n");
  EXPECT_EQ(Edit(before, "c", "on +get"),
            before + "\n[[user]]\nname = \"c\"\nrules = \"on +get\"\n");
  EXPECT_EQ(Edit(before, "c", std::nullopt), before);
  EXPECT_EQ(Edit("[[user]]\nname = 'a'\n", "a", "on"), "[[user]]\nname = 'a'\nrules = \"on\"\n");
  EXPECT_EQ(Edit("[log]\r\nlevel = 'info'\r\n", "a", "on"),
            "[log]\r\nlevel = 'info'\r\n\r\n[[user]]\r\nname = \"a\"\r\nrules = \"on\"\r\n");
}

TEST(ConfigEditUsers, LeavesAloneWhatItCannotChange) {
  for (const char* before : {"user = 1\n", "user = [{name = 'a'}]\n", "x = [\n"}) {
    std::string text = before;
    std::string error;
    if (SetUserRules(&text, "b", "on >secret", &error)) {
      ConfigError wrong;
      ADD_FAILURE() << text;
      continue;
    }
    EXPECT_EQ(text, before);
    EXPECT_FALSE(error.empty());
    EXPECT_EQ(error.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace gemel::config_users_test
