#include "tests/e2e/client_script.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>

#include "tests/e2e/wait.h"

namespace gemel::e2e {

std::string ClientScript(const std::string& name) {
  return std::string(GEMEL_SOURCE) + "/tests/e2e/clients/" + name;
}

void UseModule(const std::string& name) {
  const char* given = getenv("GEMEL_NODE_MODULES");
  const std::string modules =
      given != nullptr ? given : std::string(GEMEL_SOURCE) + "/build/clients/node_modules";
  ASSERT_TRUE(std::filesystem::exists(modules + "/" + name))
      << name << " is not in " << modules
      << ": scripts/test installs it there from the npm registry, or "
      << "set GEMEL_NODE_MODULES to a node_modules folder that has it";
  ASSERT_EQ(setenv("NODE_PATH", modules.c_str(), 1), 0);
}

std::string NewerPackages(const std::string& path) {
  const char* given = getenv("GEMEL_NEWER_PACKAGES");
  const std::string folder =
      given != nullptr ? given : std::string(GEMEL_SOURCE) + "/build/debian13";
  const std::string whole = folder + "/" + path;
  EXPECT_TRUE(std::filesystem::exists(whole))
      << whole << " is missing: scripts/test unpacks the Debian 13 packages of newer clients to "
      << "build/debian13, or set GEMEL_NEWER_PACKAGES to a folder with them";
  return whole;
}

Script::Script(const std::string& interpreter, const std::string& name, uint16_t port,
               const std::vector<std::string>& further)
    : name_(name), log_(folder_.path() + "/log") {
  std::vector<std::string> command = {interpreter, ClientScript(name), std::to_string(port)};
  command.insert(command.end(), further.begin(), further.end());
  child_.Start(command, log_);
  EXPECT_TRUE(Eventually([this] { return !child_.running() || Says("begun"); })) << name_;
}

void Script::ExpectGood() {
  EXPECT_TRUE(child_.running()) << name_ << " ended too early: " << ReadFile(log_);
  child_.Signal(SIGTERM);
  EXPECT_EQ(child_.Wait(), 0) << name_;
  EXPECT_TRUE(Says(": ok, ")) << name_ << ": " << ReadFile(log_);
}

bool Script::Says(const std::string& part) const {
  return ReadFile(log_).find(part) != std::string::npos;
}

}  // namespace gemel::e2e
