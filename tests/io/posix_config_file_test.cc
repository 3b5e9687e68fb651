// The config's file: what can be read, and what is said of what cannot.

#include "config/posix_config_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace gemel::posix_config_file_test {
namespace {

namespace fs = std::filesystem;

constexpr char kShard[] = "[[shard]]\nname = \"s\"\nprimary = \"127.0.0.1:7001\"\n";

class ConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "gemel_config_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  std::string Write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  // The error of a file that must not load, which names the file as a whole.
  std::string Message(const std::string& path) {
    ConfigError error;
    EXPECT_FALSE(LoadConfigFile(path, &error));
    EXPECT_EQ(error.file, path);
    EXPECT_EQ(error.line, 0u);
    EXPECT_EQ(error.column, 0u);
    return error.message;
  }

  fs::path folder_;
};

// While somebody writes it in place it may be read as parts of two files, which may even be a good
// one together.
TEST_F(ConfigFile, ThatChangesWhileItIsRead) {
  const std::string path = Write("g.toml", kShard + std::string(15 << 20, '#'));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    while (!stop) {
      file.seekp(0);
      file << kShard << std::flush;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  std::string message;
  // The writer may not get its turn each time.
  for (int i = 0; i < 500 && message.empty(); ++i) {
    ConfigError error;
    if (!ReadConfigFile(path, &error)) message = error.message;
  }
  stop = true;
  writer.join();
  EXPECT_TRUE(message.starts_with("is being written: it changed each time")) << message;
  ConfigError error;
  EXPECT_TRUE(ReadConfigFile(path, &error)) << error.ToString();
}

TEST_F(ConfigFile, Loads) {
  ConfigError error;
  const std::string path = Write("g.toml", kShard);
  std::optional<Config> config = LoadConfigFile(path, &error);
  ASSERT_TRUE(config) << error.ToString();
  EXPECT_EQ(config->file, path);
  EXPECT_EQ(config->state_dir, (folder_ / "state").string());
  EXPECT_EQ(config->pool().shards[0].name, "s");
}

TEST_F(ConfigFile, LoadsWhatEditorsMake) {
  ConfigError error;
  EXPECT_TRUE(LoadConfigFile(Write("bom.toml", std::string("\xef\xbb\xbf") + kShard), &error))
      << error.ToString();
  EXPECT_TRUE(LoadConfigFile(
      Write("crlf.toml", "[[shard]]\r\nname = \"s\"\r\nprimary = \"a:1\"\r\n"), &error))
      << error.ToString();
  EXPECT_TRUE(LoadConfigFile(Write("end.toml", "[[shard]]\nname='s'\nprimary='a:1'"), &error))
      << error.ToString();
}

TEST_F(ConfigFile, SaysThePlaceInTheFile) {
  ConfigError error;
  const std::string path = Write("g.toml", "[proxy]\nworkers = -1\n");
  EXPECT_FALSE(LoadConfigFile(path, &error));
  EXPECT_EQ(
      error.ToString(),
      path + ":2:11: [proxy] workers: expected an integer from 0 to 256, found the integer -1");
}

TEST_F(ConfigFile, Unreadable) {
  EXPECT_EQ(Message((folder_ / "none.toml").string()),
            "cannot open it: No such file or directory, expected a readable file");
  EXPECT_EQ(Message(Write("a", "x") + "/b"),
            "cannot open it: Not a directory, expected a readable file");
  EXPECT_EQ(Message(folder_.string()), "is a folder, expected a file");
  EXPECT_EQ(Message(""), "no file name, expected that of a configuration file");
  EXPECT_EQ(Message(Write("empty.toml", "")),
            "is empty, expected a configuration with at least one section [[shard]]");
  const std::string secret = Write("secret.toml", kShard);
  ASSERT_EQ(chmod(secret.c_str(), 0), 0);
  if (access(secret.c_str(), R_OK) != 0) {  // root reads everything
    EXPECT_EQ(Message(secret), "cannot open it: Permission denied, expected a readable file");
  }
}

TEST_F(ConfigFile, TooLarge) {
  const std::string expected = "is larger than 16mb, expected a configuration file";
  const std::string path = Write("large.toml", kShard);
  fs::resize_file(path, 100 << 20);
  EXPECT_EQ(Message(path), expected);
  fs::resize_file(path, (16 << 20) + 1);
  EXPECT_EQ(Message(path), expected);
  if (fs::exists("/dev/zero")) {
    EXPECT_EQ(Message("/dev/zero"), expected);
  }
}

}  // namespace
}  // namespace gemel::posix_config_file_test
