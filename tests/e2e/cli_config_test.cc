// What the program says of a config file without serving: an example of one, and its risks.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/e2e/look.h"
#include "tests/e2e/proxy_process.h"

namespace gemel::e2e::cli_config_test {
namespace {

constexpr char kShard[] = "[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:7101\"\n";

class CliConfig : public testing::Test {
 protected:
  Finished Test(const std::string& text, mode_t mode = 0600, int exit_code = 0) {
    WriteFile(file_, text);
    ::chmod(file_.c_str(), mode);
    Finished finished = RunProgram({GemelBinary(), "-t", "-c", file_});
    EXPECT_EQ(finished.exit_code, exit_code) << finished.output;
    for (size_t at; (at = finished.output.find(file_)) != std::string::npos;) {
      finished.output.replace(at, file_.size(), "FILE");
    }
    return finished;
  }

  TempFolder folder_;
  const std::string file_ = folder_.path() + "/gemel.toml";
};

TEST_F(CliConfig, TheExampleIsWhole) {
  const Finished example = RunProgram({GemelBinary(), "--example-config"});
  EXPECT_EQ(example.exit_code, 0);
  EXPECT_TRUE(example.output.starts_with("# An example configuration of gemel"));
  for (const char* part : {"\n[proxy]\n", "\n[[shard]]\n", "\n[log]\n", "\n# [[command]]\n"}) {
    EXPECT_TRUE(Has(example.output, part)) << part;
  }
  // And it is good as it is.
  EXPECT_EQ(Test(example.output).output, "FILE: ok\n");
}

TEST_F(CliConfig, RisksAreToldAndAreNoErrors) {
  const std::string risky =
      std::string("[write]\nack = \"any\"\n[proxy]\nstate_dir = \"/run/x\"\n") + kShard;
  const std::string output = Test(risky).output;
  EXPECT_TRUE(output.starts_with("FILE:2:7: warning: [write] ack: a write is answered as soon"))
      << output;
  EXPECT_TRUE(Has(output, "\nFILE:4:13: warning: [proxy] state_dir: this folder is emptied"))
      << output;
  EXPECT_TRUE(output.ends_with("\nFILE: ok\n")) << output;
  EXPECT_EQ(Test(kShard).output, "FILE: ok\n");
}

TEST_F(CliConfig, WhoIsServedBeyondThisMachine) {
  const std::string open = "[proxy]\nlisten = [\"0.0.0.0:6399\"]\n";
  EXPECT_TRUE(Test(open + kShard)
                  .output.starts_with(
                      "FILE: warning: protected mode: there is no password, so on 0.0.0.0:6399 "
                      "only clients on "
                      "this machine are served, others get -DENIED: set [proxy] password\n"));
  EXPECT_TRUE(Test(open + "protected_mode = false\n" + kShard)
                  .output.starts_with("FILE: warning: there is no password and protected_mode is "
                                      "off: whoever reaches 0.0.0.0:6399 may read, write"));
  EXPECT_EQ(Test(open + "password = \"long enough to last\"\n" + kShard).output, "FILE: ok\n");
}

TEST_F(CliConfig, WhoElseMayReadAndWriteIt) {
  const std::string secret = "[proxy]\npassword = \"long enough to last\"\n";
  EXPECT_EQ(Test(secret + kShard, 0640).output, "FILE: ok\n");
  EXPECT_EQ(Test(secret + kShard, 0644, 1).output,
            "FILE: has a password and can be read by everybody on this machine: chmod o-r it, or "
            "say allow_readable_secrets = true in [proxy]\n");
  EXPECT_EQ(Test(secret + "allow_readable_secrets = true\n" + kShard, 0644).output,
            "FILE: warning: there are passwords in it, and everybody on this machine may read it: "
            "chmod o-r\nFILE: ok\n");
  EXPECT_EQ(Test(kShard, 0644).output, "FILE: ok\n");
  EXPECT_EQ(Test(kShard, 0646).output,
            "FILE: warning: everybody on this machine may write it, and so decide what gemel "
            "does: chmod o-w\nFILE: ok\n");
}

}  // namespace
}  // namespace gemel::e2e::cli_config_test
