#include "tests/e2e/proxy_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace gemel::e2e {
namespace {

bool SanitizerSpoke(const std::string& log) {
  return log.find("Sanitizer") != std::string::npos ||
         log.find("runtime error:") != std::string::npos;
}

std::string Tail(const std::string& log) {
  constexpr size_t kMost = 8000;
  return log.size() <= kMost ? log : "... " + log.substr(log.size() - kMost);
}

}  // namespace

std::string GemelBinary() {
  const char* given = std::getenv("GEMEL_BINARY");
  return given != nullptr ? given : GEMEL_BINARY;
}

Sanitizer ProxySanitizer() {
  static const Sanitizer found = [] {
    const std::string program = ReadFile(GemelBinary());
    if (program.find("__asan_init") != std::string::npos) return Sanitizer::kAddress;
    if (program.find("__tsan_init") != std::string::npos) return Sanitizer::kThread;
    return Sanitizer::kNone;
  }();
  return found;
}

ProxyProcess::~ProxyProcess() {
  const bool left = process_.pid() > 0;  // nobody stopped or killed it, nor waited for its end
  const bool ran = process_.running();
  const int code = ran ? Stop() : left ? process_.exit_code() : 0;
  const std::string log = Log();
  if (code != 0 || SanitizerSpoke(log)) {
    ADD_FAILURE() << "the proxy ended with " << code << "; its log:\n" << Tail(log);
  } else if (testing::Test::HasFailure()) {
    std::cerr << "the proxy's log:\n" << Tail(log) << std::endl;
  }
}

void ProxyProcess::Start(const std::string& config) {
  WriteFile(config_path(), config);
  Restart();
}

void ProxyProcess::Restart() {
  Launch();
  WaitUntilServes();
}

void ProxyProcess::Launch() {
  Words command = prefix_;
  command.insert(command.end(), {GemelBinary(), "-c", config_path()});
  process_.Start(command, folder() + "/log");
}

void ProxyProcess::WaitUntilServes() {
  // That the system takes a connection does not say that gemel serves: it may still be about to
  // listen on its other addresses. Whoever sees that a client leaves serves all.
  const bool accepts = Eventually([this] {
    if (!process_.running()) return true;
    try {
      return Client(port()).Leave();
    } catch (const std::runtime_error&) {
      return false;
    }
  });
  if (!accepts || !process_.running()) {
    throw std::runtime_error("gemel does not serve; its log:\n" + Tail(Log()));
  }
}

int ProxyProcess::Stop() {
  process_.Signal(SIGTERM);
  const int code = process_.Wait();
  process_.Kill();
  return code;
}

bool ProxyProcess::Logs(const std::string& text, size_t from) const {
  return Eventually([&] { return Log().find(text, from) != std::string::npos; });
}

uint64_t ProxyProcess::ResidentBytes() const {
  std::istringstream status(ReadFile("/proc/" + std::to_string(pid()) + "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  }
  throw std::runtime_error("no VmRSS of the proxy");
}

}  // namespace gemel::e2e
