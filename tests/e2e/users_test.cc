// Users: of the config, changed while gemel runs, on all workers; what ends when they go.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/e2e/child_process.h"
#include "tests/e2e/look.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::users_test {
namespace {

constexpr char kWrongPass[] = "-WRONGPASS invalid username-password pair or user is disabled.";

std::string TextOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class Users : public testing::TestWithParam<int> {
 protected:
  Users() : world_({.shards = 2, .copies = 1, .workers = GetParam()}) {}
  void SetUsers(const std::string& tables) {
    world_.file().end = tables;
    const std::string answer = world_.Reload();
    ASSERT_FALSE(answer.starts_with("-")) << answer;
  }
  static std::string Table(const std::string& name, const std::string& rules) {
    return "[[user]]\nname = \"" + name + "\"\nrules = \"" + rules + "\"\n";
  }
  Client As(const std::string& user, const std::string& password) {
    Client client = world_.Connect();
    EXPECT_EQ(client("AUTH", user, password), "OK");
    return client;
  }
  // So many that each worker has some.
  std::vector<Client> Crowd(const std::string& user, const std::string& password) {
    std::vector<Client> clients;
    while (clients.size() < 8) clients.push_back(As(user, password));
    return clients;
  }
  std::string Config() { return TextOf(world_.proxy().config_path()); }

  ReloadWorld world_;
  Client operator_ = world_.Connect();
};

TEST_P(Users, OfTheConfig) {
  SetUsers(Table("reader", "on >one >two ~c:* +@read") + Table("off", "off >x"));
  EXPECT_EQ(operator_("SET", "c:1", "v"), "OK");
  for (const char* password : {"one", "two"}) {
    for (Client& client : Crowd("reader", password)) {
      EXPECT_EQ(client("GET", "c:1"), "v");
      EXPECT_TRUE(client("GET", "d:1").IsError());
      EXPECT_TRUE(client("SET", "c:1", "w").IsError());
      EXPECT_TRUE(client("PROXY", "STATUS").IsError());
      EXPECT_TRUE(client("CONFIG", "GET", "*").IsError());
    }
  }
  Client client = world_.Connect();
  EXPECT_EQ(client("AUTH", "reader", "three"), kWrongPass);
  EXPECT_EQ(client("AUTH", "off", "x"), kWrongPass);
  EXPECT_EQ(client("HELLO", "2", "AUTH", "reader", "one").Field("proto"), ":2");
  EXPECT_TRUE(client("SET", "c:1", "w").IsError());
  // Names in CLIENT LIST and KILL.
  EXPECT_TRUE(Has(operator_("CLIENT", "LIST").bytes, " user=reader "));
  EXPECT_EQ(operator_("CLIENT", "KILL", "USER", "reader"), ":1");
  EXPECT_EQ(operator_("CLIENT", "KILL", "USER", "nobody"), "-ERR No such user 'nobody'");
}

// A rotation without downtime: the new password first, then the old one goes.
TEST_P(Users, SeveralPasswords) {
  SetUsers(Table("u", "on >old ~* +@all"));
  std::vector<Client> clients = Crowd("u", "old");
  SetUsers(Table("u", "on >old >new ~* +@all"));
  for (const char* password : {"old", "new"}) As("u", password);
  SetUsers(Table("u", "on >new ~* +@all"));
  Client late = world_.Connect();
  EXPECT_EQ(late("AUTH", "u", "old"), kWrongPass);
  for (Client& client : clients) EXPECT_EQ(client("SET", "k", "v"), "OK");
}

TEST_P(Users, ChangedRulesHoldForTheNextCommand) {
  SetUsers(Table("u", "on >p ~* &* +@all"));
  std::vector<Client> clients = Crowd("u", "p");
  for (Client& client : clients) EXPECT_EQ(client("SET", "k", "v"), "OK");
  SetUsers(Table("u", "on >p ~* &* +@read"));
  for (Client& client : clients) {
    EXPECT_EQ(client("GET", "k"), "v");
    EXPECT_EQ(client("SET", "k", "w"),
              "-NOPERM this user has no permissions to run the 'set' command");
  }
  EXPECT_EQ(operator_("ACL", "SETUSER", "u", "+set", "resetkeys", "~k"), "OK");
  for (Client& client : clients) {
    EXPECT_EQ(client("SET", "k", "w"), "OK");
    EXPECT_TRUE(client("GET", "other").IsError());
  }
  // A user that is switched off: nobody can become it, who is it stays.
  EXPECT_EQ(operator_("ACL", "SETUSER", "u", "off"), "OK");
  EXPECT_EQ(world_.Connect()("AUTH", "u", "p"), kWrongPass);
  EXPECT_EQ(clients[0]("GET", "k"), "w");
}

TEST_P(Users, ConnectionsOfARemovedUserEnd) {
  SetUsers(Table("u", "on >p ~* &* +@all") + Table("stays", "on >p ~* &* +@all"));
  std::vector<Client> gone = Crowd("u", "p");
  std::vector<Client> stays = Crowd("stays", "p");
  EXPECT_EQ(gone[0]("SUBSCRIBE", "c").items[0], "subscribe");
  gone[1].Append({"BLPOP", "empty", "0"});
  gone[1].Flush();
  EXPECT_TRUE(
      Eventually([&] { return Has(operator_("INFO", "clients").bytes, "blocked_clients:1"); }));
  SetUsers(Table("stays", "on >p ~* &* +@all"));
  for (Client& client : gone) EXPECT_TRUE(client.IsClosed());
  for (Client& client : stays) EXPECT_EQ(client("SET", "k", "v"), "OK");
  // By ACL DELUSER; one that removes itself has its answer.
  std::vector<Client> more = Crowd("stays", "p");
  EXPECT_EQ(more[0]("ACL", "DELUSER", "stays", "nobody"), ":1");
  for (Client& client : more) EXPECT_TRUE(client.IsClosed());
  for (Client& client : stays) EXPECT_TRUE(client.IsClosed());
  EXPECT_EQ(operator_("ACL", "USERS"), "[default]");
  EXPECT_EQ(operator_("ACL", "DELUSER", "stays"), ":0");
}

TEST_P(Users, SubscribersWithoutRightsEnd) {
  SetUsers(Table("u", "on >p &a* &b +@all"));
  std::vector<Client> a = Crowd("u", "p");
  std::vector<Client> b = Crowd("u", "p");
  for (Client& client : a) EXPECT_EQ(client("SUBSCRIBE", "a1").items[1], "a1");
  for (Client& client : b) EXPECT_EQ(client("PSUBSCRIBE", "b").items[1], "b");
  Client monitor = As("u", "p");
  EXPECT_EQ(monitor("MONITOR"), "OK");
  EXPECT_EQ(operator_("ACL", "SETUSER", "u", "resetchannels", "&b", "-monitor"), "OK");
  EXPECT_TRUE(Eventually([&] { return !Has(operator_("CLIENT", "LIST").bytes, " cmd=monitor "); }));
  for (Client& client : a) EXPECT_TRUE(client.IsClosed());
  for (Client& client : b) EXPECT_EQ(client("PING").items[0], "pong");
}

TEST_P(Users, QueuedCommandsAreJudgedAgain) {
  SetUsers(Table("u", "on >p ~* &* +@all"));
  Client client = As("u", "p");
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_EQ(client("SET", "{t}a", "1"), "QUEUED");
  EXPECT_EQ(client("SET", "{t}b", "1"), "QUEUED");
  EXPECT_EQ(client("PING"), "QUEUED");
  EXPECT_EQ(client("PUBLISH", "c", "m"), "QUEUED");
  EXPECT_EQ(operator_("ACL", "SETUSER", "u", "resetkeys", "~{t}a", "resetchannels", "-ping"), "OK");
  const std::string because =
      "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC "
      "call. This command is no longer allowed for the following reason: ";
  const Reply reply = client("EXEC");
  ASSERT_EQ(reply.items.size(), 4u) << reply;
  EXPECT_EQ(reply.items[0], "OK");
  EXPECT_EQ(reply.items[1], because + "no permission to touch the specified keys");
  EXPECT_EQ(reply.items[2], because + "no permission to execute the command or subcommand");
  EXPECT_EQ(reply.items[3],
            because + "no permission to access one of the channels used as arguments");
  EXPECT_EQ(operator_("MGET", "{t}a", "{t}b"), "[1 (nil)]");
}

// gemel does not look into them: who is limited may not run them, unless the file says so.
TEST_P(Users, Scripts) {
  SetUsers(Table("limited", "on >p ~k* &* +@all") + Table("trusted", "on >p ~k* &* +@all") +
           "trusted_scripts = true\n" + Table("all", "on >p ~* &* +@all -config -proxy"));
  EXPECT_EQ(operator_("SCRIPT", "LOAD", "return 1").bytes.size(), 40u);
  const std::string sha = operator_("SCRIPT", "LOAD", "return 1").bytes;
  Client limited = As("limited", "p");
  for (const Words& words : {Words{"EVAL", "return 1", "1", "k1"},
                             {"EVAL_RO", "return 1", "0"},
                             {"EVALSHA", sha, "0"},
                             {"FCALL", "f", "0"}}) {
    const Reply reply = limited.Run(words);
    EXPECT_TRUE(reply.IsError() && Has(reply.bytes, "trusted_scripts")) << reply;
  }
  EXPECT_TRUE(
      Has(operator_("ACL", "DRYRUN", "limited", "EVAL", "return 1", "0").bytes, "trusted_scripts"));
  EXPECT_EQ(operator_("ACL", "DRYRUN", "all", "EVAL", "return 1", "0"), "OK");
  for (const char* name : {"trusted", "all"}) {
    Client client = As(name, "p");
    EXPECT_EQ(client("EVAL", "return 1", "1", "k1"), ":1") << name;
    EXPECT_EQ(client("EVALSHA", sha, "0"), ":1") << name;
  }
  EXPECT_TRUE(As("trusted", "p")("EVAL", "return 1", "1", "other").IsError());
}

TEST_P(Users, AreSavedAndLoaded) {
  SetUsers("# Who reads.\n" + Table("reader", "on >secret ~c:* +@read"));
  EXPECT_EQ(operator_("ACL", "SETUSER", "new", "on", ">hidden", "~n:*", "+@all"), "OK");
  EXPECT_EQ(operator_("ACL", "SETUSER", "reader", "+set", ">more"), "OK");
  // What is not saved is forgotten.
  EXPECT_EQ(operator_("ACL", "SAVE"), "OK");
  EXPECT_EQ(operator_("ACL", "SETUSER", "unsaved", "on"), "OK");
  EXPECT_EQ(operator_("ACL", "LOAD"), "OK");
  EXPECT_EQ(operator_("ACL", "USERS"), "[default new reader]");
  const std::string config = Config();
  EXPECT_TRUE(Has(config, "# Who reads.\n[[user]]\nname = \"reader\"\nrules = \"on #")) << config;
  EXPECT_FALSE(Has(config, "secret") || Has(config, "hidden") || Has(config, "more")) << config;
  As("new", "hidden");
  As("reader", "more");
  As("reader", "secret");
  EXPECT_EQ(operator_("ACL", "DELUSER", "new"), ":1");
  EXPECT_EQ(operator_("CONFIG", "REWRITE"), "OK");
  EXPECT_FALSE(Has(Config(), "\"new\"")) << Config();
  // A bad file changes nothing.
  WriteFile(world_.proxy().config_path(), Config() + Table("bad", "on +nothing"));
  const Reply bad = operator_("ACL", "LOAD");
  EXPECT_TRUE(bad.IsError() &&
              Has(bad.bytes, "Unknown command or category name in ACL: '+nothing'"))
      << bad;
  EXPECT_EQ(operator_("ACL", "USERS"), "[default reader]");
}

// Who has come without a password stays; whoever comes later has to give it.
TEST_P(Users, TheDefaultUser) {
  EXPECT_EQ(operator_("ACL", "SETUSER", "admin", "on", ">a", "~*", "&*", "+@all"), "OK");
  EXPECT_EQ(operator_("ACL", "SETUSER", "default", ">p", "-@admin"), "OK");
  EXPECT_EQ(operator_("GET", "k"), "(nil)");
  EXPECT_TRUE(operator_("ACL", "LIST").IsError());
  Client client = world_.Connect();
  EXPECT_EQ(client("GET", "k"), "-NOAUTH Authentication required.");
  EXPECT_EQ(client("AUTH", "p"), "OK");
  EXPECT_TRUE(client("CONFIG", "GET", "*").IsError());
  Client admin = As("admin", "a");
  // requirepass is the default user's password, and takes the place of those that it has.
  EXPECT_EQ(admin("CONFIG", "SET", "requirepass", "q"), "OK");
  EXPECT_EQ(world_.Connect()("AUTH", "p"), kWrongPass);
  EXPECT_EQ(world_.Connect()("AUTH", "q"), "OK");
  EXPECT_EQ(admin("ACL", "SETUSER", "default", ">r"), "OK");
  EXPECT_EQ(world_.Connect()("AUTH", "q"), "OK");
  EXPECT_EQ(world_.Connect()("AUTH", "r"), "OK");
  EXPECT_EQ(admin("ACL", "SETUSER", "default", "resetpass", ">s"), "OK");
  EXPECT_EQ(world_.Connect()("AUTH", "q"), kWrongPass);
  EXPECT_EQ(world_.Connect()("AUTH", "s"), "OK");
}

TEST_P(Users, Limits) {
  SetUsers(Table("few", "on >p ~* +@all") + "max_clients = 3\n" + Table("slow", "on >p ~* +@all") +
           "requests_per_s = 20\n" + Table("thin", "on >p ~* +@all") + "bytes_per_s = \"64kb\"\n");
  std::vector<Client> few;
  while (few.size() < 3) few.push_back(As("few", "p"));
  Client more = world_.Connect();
  EXPECT_EQ(more("AUTH", "few", "p"),
            "-ERR max number of clients reached for this user ([[user]] max_clients)");
  EXPECT_EQ(more("ACL", "WHOAMI"), "default");
  few.pop_back();
  EXPECT_TRUE(Eventually([&] { return more("AUTH", "few", "p") == "OK"; }));
  // All is answered, in its order.
  for (const char* name : {"slow", "thin"}) {
    Client client = As(name, "p");
    for (int i = 0; i < 30; ++i)
      client.Append({"ECHO", std::to_string(i) + std::string(4000, 'x')});
    for (int i = 0; i < 30; ++i) {
      EXPECT_EQ(client.Read().bytes, std::to_string(i) + std::string(4000, 'x'));
    }
  }
  const std::string info = operator_("INFO", "stats").bytes;
  EXPECT_FALSE(Has(info, "user_limit_pauses:0\r")) << info;
  EXPECT_TRUE(Has(info, "user_limit_pauses:")) << info;
  // Who is here stays when there may be fewer.
  SetUsers(Table("few", "on >p ~* +@all") + "max_clients = 1\n");
  for (Client& client : few) EXPECT_EQ(client("PING"), "PONG");
}

// Neither the log nor what gemel tells of itself has a password.
TEST_P(Users, SecretsAreHidden) {
  world_.file().options["slowlog"]["log_slower_than"] = "0";
  SetUsers(Table("u", "on >filesecret ~* &* +@all"));
  Client monitor = world_.Connect();
  EXPECT_EQ(monitor("MONITOR"), "OK");
  EXPECT_EQ(operator_("ACL", "SETUSER", "v", "on", ">ordersecret", "+@all"), "OK");
  EXPECT_TRUE(operator_("ACL", "SETUSER", "v", ">ordersecret", "+nothing").IsError());
  EXPECT_EQ(world_.Connect()("AUTH", "v", "wrongsecret"), kWrongPass);
  As("u", "filesecret");
  EXPECT_EQ(operator_("ECHO", "end"), "end");
  std::string told;
  while (!Has(told, "\"end\"")) told += monitor.Read().Text() + "\n";
  for (const Words& words : {Words{"CONFIG", "GET", "*"},
                             {"INFO", "everything"},
                             {"SLOWLOG", "GET"},
                             {"PROXY", "STATUS"},
                             {"PROXY", "EVENTS"},
                             {"CLIENT", "LIST"},
                             {"ACL", "LOG"},
                             {"ACL", "LIST"},
                             {"PROXY", "RELOAD", "DRYRUN"}}) {
    told += operator_.Run(words).Text() + "\n";
  }
  told += world_.proxy().Log();
  EXPECT_EQ(told.find("secret "), std::string::npos);
  for (const char* secret : {"filesecret", "ordersecret", "wrongsecret"}) {
    EXPECT_FALSE(Has(told, secret)) << told.substr(told.find(secret) - 100, 200);
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, Users, testing::Values(1, 3));

// A file with a password that everybody can read is refused, at the start and at a reload.
TEST(UsersFile, MustNotBeReadableByOthers) {
  namespace fs = std::filesystem;
  ReloadWorld world({.shards = 1, .copies = 1});
  const std::string path = world.proxy().config_path();
  world.file().end = "[[user]]\nname = \"u\"\nrules = \"on >p\"\n";
  world.Write();
  fs::permissions(path, fs::perms::others_read, fs::perm_options::add);
  const std::string refused = world.AskReload();
  EXPECT_TRUE(Has(refused, "can be read by everybody on this machine: chmod o-r it")) << refused;
  EXPECT_EQ(world.Connect()("ACL", "USERS"), "[default]");
  fs::permissions(path, fs::perms::others_read, fs::perm_options::remove);
  fs::permissions(path, fs::perms::group_read, fs::perm_options::add);
  EXPECT_FALSE(world.AskReload().starts_with("-"));
  EXPECT_EQ(world.Connect()("ACL", "USERS"), "[default u]");
  // Nor is a password written into one.
  fs::permissions(path, fs::perms::others_read, fs::perm_options::add);
  EXPECT_TRUE(Has(world.Connect()("CONFIG", "REWRITE").bytes, "can be read by everybody"));
  world.file().options["proxy"]["allow_readable_secrets"] = "true";
  world.Write();
  fs::permissions(path, fs::perms::others_read, fs::perm_options::add);
  EXPECT_FALSE(world.AskReload().starts_with("-"));
  // No client can say so.
  EXPECT_TRUE(world.Connect()("CONFIG", "SET", "proxy.allow_readable_secrets", "no").IsError());
}

}  // namespace
}  // namespace gemel::e2e::users_test
