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

Script::Script(const std::string& interpreter, const std::string& name, uint16_t port)
    : name_(name), log_(folder_.path() + "/log") {
  child_.Start({interpreter, ClientScript(name), std::to_string(port)}, log_);
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
