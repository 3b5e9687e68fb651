// The scripts on disk: what was written is read, and what is damaged is said.

#include "proxy/scripts/posix_script_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace gemel::posix_script_file_test {
namespace {

class ScriptFiles : public ::testing::Test {
 protected:
  ScriptFiles() {
    std::string pattern = std::filesystem::temp_directory_path() / "gemel-scripts-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ScriptFiles() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::vector<std::string>& scripts) {
    std::vector<TextStore::Text> texts;
    for (const std::string& script : scripts) {
      texts.push_back(std::make_shared<const std::string>(script));
    }
    std::string error;
    EXPECT_EQ(WriteScripts({folder_, "scripts"}, texts, &error), error.empty());
    return error;
  }
  std::vector<std::string> Read(std::string* error) {
    std::vector<std::string> scripts;
    EXPECT_EQ(ReadScripts({folder_, "scripts"}, &scripts, error), error->empty());
    return scripts;
  }
  std::string folder_;
};

TEST_F(ScriptFiles, WhatWasWrittenIsRead) {
  std::string error;
  EXPECT_TRUE(Read(&error).empty());
  EXPECT_EQ(error, "");
  const std::vector<std::string> scripts = {"return 1", "", "a\nb\r\n3\n", std::string("x\0y", 3),
                                            std::string(200000, 'z')};
  EXPECT_EQ(Write(scripts), "");
  EXPECT_EQ(Read(&error), scripts);
  EXPECT_EQ(Write({"return 2"}), "");
  EXPECT_EQ(Read(&error), std::vector<std::string>{"return 2"});
  EXPECT_EQ(Write({}), "");
  EXPECT_TRUE(Read(&error).empty());
}

TEST_F(ScriptFiles, WhatIsDamagedIsNotUsed) {
  EXPECT_EQ(Write({"return 1", "return 2"}), "");
  std::string text;
  {
    std::ifstream in(folder_ + "/scripts");
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (const std::string& damaged : {text.substr(0, text.size() - 1), text + "x",
                                     std::string("something else\n"), std::string()}) {
    std::ofstream(folder_ + "/scripts") << damaged;
    std::string error;
    EXPECT_TRUE(Read(&error).empty());
    EXPECT_NE(error.find("/scripts: it is damaged and is not used"), std::string::npos) << error;
  }
}

TEST_F(ScriptFiles, AFolderThatIsGoneIsSaid) {
  std::filesystem::remove_all(folder_);
  EXPECT_NE(Write({"return 1"}).find(folder_), std::string::npos);
}

}  // namespace
}  // namespace gemel::posix_script_file_test
