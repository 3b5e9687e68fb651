// What a client may not do to the file system and to the door by CONFIG SET.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/child_process.h"
#include "tests/e2e/look.h"
#include "tests/e2e/own_address.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::protected_configs_test {
namespace {

// One shard of one node; clients reach it on loopback, on another address and by a Unix socket.
class ProtectedConfigs : public testing::Test {
 protected:
  ProtectedConfigs() : world_({.shards = 1, .copies = 1}) {
    world_.file().listen.push_back(own_ + ":" + std::to_string(port_.number()));
    world_.file().listen.push_back("unix:" + socket());
  }
  std::string socket() const { return folder_.path() + "/s"; }
  Client FromAfar() const { return Client::OnAddress(own_, port_.number()); }
  void Reload() {
    const std::string answer = world_.Reload();
    ASSERT_FALSE(answer.starts_with("-")) << answer;
  }
  // The options that name files or listeners, or open the door wider, under all their names.
  std::vector<Words> Forbidden() const {
    const std::string made = folder_.path() + "/made/by/a/client.log";
    return {{"logfile", made},
            {"LogFile", made},
            {"log.file", made},
            {"LOG.FILE", made},
            {"dir", folder_.path() + "/made"},
            {"proxy.state_dir", folder_.path() + "/made"},
            {"proxy.listen", "127.0.0.1:" + std::to_string(other_.number())},
            {"proxy.listen", "unix:" + folder_.path() + "/made"},
            {"log.rotate_bytes", "4096"},
            {"log.rotate_files", "0"},
            {"protected-mode", "yes"},
            {"proxy.protected_mode", "true"},
            {"maxclients", "77", "logfile", made},
            {"logfile", made, "maxclients", "77"}};
  }
  static Reply Set(Client& client, Words words) {
    words.insert(words.begin(), {"CONFIG", "SET"});
    return client.Run(words);
  }
  void ExpectAllRefused(Client& client) {
    for (const Words& words : Forbidden()) {
      const std::string before = client("CONFIG", "GET", "*").Text();
      const Reply reply = Set(client, words);
      EXPECT_TRUE(reply.IsError() && Has(reply.bytes, "can't set protected config")) << reply;
      EXPECT_EQ(client("CONFIG", "GET", "*").Text(), before) << words[0];
    }
    EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/made"));
  }

  const std::string own_ = OwnAddress();
  FreePort port_;
  FreePort other_;
  TempFolder folder_;
  ReloadWorld world_;
};

TEST_F(ProtectedConfigs, CannotBeSetOverAConnection) {
  Reload();
  Client client = world_.Connect();
  ExpectAllRefused(client);
  Client local = Client::OnUnixSocket(socket());
  ExpectAllRefused(local);
  EXPECT_EQ(client("CONFIG", "REWRITE"), "OK");
  EXPECT_FALSE(Has(ReadFile(world_.proxy().config_path()), "made"));
  // The refusal is told to the operator, too.
  EXPECT_TRUE(world_.proxy().Logs("log.file: can't set protected config"));
  EXPECT_EQ(client("CONFIG", "SET", "maxclients", "78", "log.level", "debug"), "OK");
}

// Neither by itself nor with what it would allow, whatever the file says.
TEST_F(ProtectedConfigs, ThePermissionIsTheFilesAlone) {
  for (const char* leave : {"no", "local", "yes"}) {
    world_.file().options["proxy"]["protected_configs"] = "\"" + std::string(leave) + "\"";
    Reload();
    Client client = world_.Connect();
    for (const char* name :
         {"enable-protected-configs", "proxy.protected_configs", "Proxy.Protected_Configs"}) {
      for (const char* value : {"no", "yes", "local"}) {
        const Reply reply = Set(client, {name, value});
        EXPECT_TRUE(reply.IsError() && Has(reply.bytes, "can't set immutable config")) << reply;
        EXPECT_TRUE(Set(client, {name, value, "log.rotate_files", "3"}).IsError());
      }
    }
    EXPECT_EQ(world_.Setting("enable-protected-configs"), leave);
    EXPECT_EQ(world_.Setting("log.rotate_files"), "5");
  }
}

TEST_F(ProtectedConfigs, TheFileAllowsThem) {
  const std::string log = folder_.path() + "/other.log";
  world_.file().options["proxy"]["protected_mode"] = "false";
  Reload();
  Client far = FromAfar();
  ExpectAllRefused(far);
  world_.file().options["proxy"]["protected_configs"] = "\"yes\"";
  Reload();
  EXPECT_EQ(Set(far, {"protected-mode", "yes"}), "OK");
  EXPECT_EQ(Set(far, {"protected-mode", "no"}), "OK");
  EXPECT_EQ(Set(far, {"logfile", log, "log.rotate_files", "4"}), "OK");
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(log), "a new config is in effect"); }));

  world_.file().options["proxy"]["protected_configs"] = "\"local\"";
  Reload();
  ExpectAllRefused(far);
  Client local = Client::OnUnixSocket(socket());
  EXPECT_EQ(Set(local, {"log.rotate_files", "3"}), "OK");
  EXPECT_EQ(world_.Connect()("CONFIG", "SET", "log.rotate_files", "2"), "OK");

  // Who is connected sees the file in effect.
  world_.file().options["proxy"]["protected_configs"] = "\"no\"";
  Reload();
  ExpectAllRefused(local);
  ExpectAllRefused(far);
}

}  // namespace
}  // namespace gemel::e2e::protected_configs_test
