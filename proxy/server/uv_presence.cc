#include "proxy/server/uv_presence.h"

#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

#include "proxy/reload/posix_file_sighting.h"

namespace gemel {

namespace {

std::string Hex(uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// When the process began, in ticks since the boot; 0: there is none, or it has ended and nobody has
// asked for its exit code yet.
uint64_t BeginOf(const std::string& pid) {
  const std::string stat = ReadAll("/proc/" + pid + "/stat");
  const size_t name_end = stat.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string state;
  fields >> state;
  if (state == "Z" || state == "X") return 0;
  std::string skipped;
  for (int i = 4; i < 22; ++i) fields >> skipped;
  uint64_t begin = 0;
  fields >> begin;
  return begin;
}

std::string HostName() {
  char name[256] = "";
  if (::gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') return "?";
  return name;
}

}  // namespace

UvPresence::UvPresence(const std::string& state_dir, const std::string& listen) {
  std::random_device random;
  self_.id = Hex((uint64_t{random()} << 32) | random());
  const std::string boot = ReadAll("/proc/sys/kernel/random/boot_id");
  char space[64] = "";
  if (::readlink("/proc/self/ns/pid", space, sizeof(space) - 1) < 0) space[0] = '\0';
  // Without them nothing is known of other processes, nor whether a folder is the same one.
  self_.machine = boot.empty() || space[0] == '\0' ? self_.id : Hex(HashContent(boot + space));
  struct stat folder {};
  self_.state = boot.empty() || ::stat(state_dir.c_str(), &folder) != 0
                    ? self_.id
                    : Hex(HashContent(boot + std::to_string(folder.st_dev) + "." +
                                      std::to_string(folder.st_ino)));
  self_.pid = static_cast<uint64_t>(::getpid());
  self_.pid_since = BeginOf("self");
  timeval now{};
  ::gettimeofday(&now, nullptr);
  self_.started_s = static_cast<uint64_t>(now.tv_sec);
  self_.host = HostName();
  self_.listen = listen;
}

bool UvPresence::IsGone(const SeenProxy& other) {
  const ProxyInstance& proxy = other.proxy;
  if (proxy.state == self_.state || other.idle_s > kSilentS) return true;
  if (proxy.machine == self_.machine && BeginOf(std::to_string(proxy.pid)) != proxy.pid_since) {
    return true;
  }
  const std::lock_guard lock(mutex_);
  return taken_.contains(proxy.id);
}

void UvPresence::TakeOver(const ProxyInstance& other) {
  const std::lock_guard lock(mutex_);
  taken_.insert(other.id);
}

void UvPresence::OnRival(const ProxyInstance& other, const std::string& node, bool newcomer) {
  {
    const std::lock_guard lock(mutex_);
    if (!told_.insert(other.id + " " + node).second) return;
  }
  if (!on_rival_) return;
  if (newcomer) {
    on_rival_("node " + node + " is not used: another gemel serves it: " + Describe(other), false);
  } else {
    on_rival_("another gemel serves node " + node + " now: " + Describe(other) +
                  ". Two would part the copies, so this one ends",
              true);
  }
}

}  // namespace gemel
