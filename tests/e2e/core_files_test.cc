// What a crash leaves behind: no core with the passwords in it, unless somebody wants one.

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::core_files_test {
namespace {

constexpr char kPassword[] = "a-password-to-be-found";
constexpr char kOfNode[] = "what-opens-a-node-up";

class CoreFiles : public testing::Test {
 protected:
  // Crashes it in its folder, where it was started with that limit. Returns the core; empty: none.
  std::string CoreOfCrash(const std::string& limit) {
    proxy_.set_prefix({"sh", "-c",
                       "cd " + proxy_.folder() + " && ulimit " + limit +
                           " && export ASAN_OPTIONS=disable_coredump=0 && exec \"$0\" \"$@\""});
    proxy_.Start("[proxy]\npassword = \"" + std::string(kPassword) + "\"\nlisten = [\"127.0.0.1:" +
                 std::to_string(proxy_.port()) + "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" +
                 node_.address() + "\"\npassword = \"" + kOfNode + "\"\n");
    Client client(proxy_.port());
    EXPECT_EQ(client("AUTH", kPassword), "OK");
    EXPECT_EQ(client("SET", "k", "v"), "OK");
    // Whoever may raises the limit later: it is too late.
    const Finished raised = RunProgram(
        {"prlimit", "--pid", std::to_string(proxy_.pid()), "--core=unlimited:unlimited"});
    EXPECT_EQ(raised.exit_code, 0) << raised.output;
    proxy_.Signal(SIGABRT);
    EXPECT_EQ(proxy_.Wait(), 128 + SIGABRT);
    for (const auto& file : std::filesystem::directory_iterator(proxy_.folder())) {
      if (file.path().filename().string().starts_with("core")) return file.path();
    }
    return {};
  }

  RedisNode node_{Words{"--requirepass", kOfNode}};
  ProxyProcess proxy_;
};

TEST_F(CoreFiles, NoneWithoutALimitForThem) { EXPECT_EQ(CoreOfCrash("-S -c 0"), ""); }

// What the other one is about: it would be found.
TEST_F(CoreFiles, OneThatIsAskedForHasThePasswords) {
  std::ifstream in("/proc/sys/kernel/core_pattern");
  std::string pattern;
  std::getline(in, pattern);
  const std::string core = CoreOfCrash("-c unlimited");
  if (!pattern.starts_with("core")) return;  // it is somewhere else
  ASSERT_NE(core, "");
  const std::string bytes = ReadFile(core);
  for (const char* password : {kPassword, kOfNode}) {
    EXPECT_NE(bytes.find(password), std::string::npos) << password;
  }
}

}  // namespace
}  // namespace gemel::e2e::core_files_test
