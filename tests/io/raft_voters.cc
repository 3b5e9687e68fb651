#include "tests/io/raft_voters.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <utility>

#include "backend/raft/uv_raft_node.h"

namespace gemel::raft_test {

namespace {

constexpr size_t kPageBytes = 4096;

struct SharedPage {
  std::atomic<bool> leads{false};
  std::atomic<uint64_t> last_applied{0};
  std::atomic<size_t> warnings{0};
  char warning[1024] = {};
};

SharedPage* PageAt(void* memory) { return static_cast<SharedPage*>(memory); }

// A folder that only this process sees as it is. False: the system does not let it.
bool MountDisk(const std::string& folder, size_t bytes) {
  if (::unshare(CLONE_NEWNS) != 0) return false;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  const std::string size = "size=" + std::to_string(bytes);
  return ::mount("none", folder.c_str(), "tmpfs", 0, size.c_str()) == 0;
}

}  // namespace

Voters::Voters(VotersOptions options) : options_(options), pids_(options.count, 0) {
  ::signal(SIGPIPE, SIG_IGN);  // as the program does
  std::string name = (std::filesystem::temp_directory_path() / "gemel-raft-XXXXXX").string();
  folder_ = ::mkdtemp(name.data());
  std::vector<uint16_t> inner;
  std::vector<uint16_t> outer;
  for (size_t i = 0; i < options_.count; ++i) {
    ports_.push_back(std::make_unique<e2e::FreePort>());
    inner.push_back(ports_.back()->number());
    if (options_.wired) known_ports_.push_back(std::make_unique<e2e::FreePort>());
    outer.push_back(options_.wired ? known_ports_.back()->number() : inner.back());
    addresses_.push_back("127.0.0.1:" + std::to_string(outer.back()));
    void* memory =
        ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    new (memory) SharedPage;
    pages_.push_back(memory);
  }
  const size_t founders = options_.founders == 0 ? options_.count : options_.founders;
  founders_.assign(addresses_.begin(), addresses_.begin() + static_cast<ptrdiff_t>(founders));
  if (options_.wired) wires_ = std::make_unique<Wires>(outer, inner);
}

Voters::~Voters() {
  for (size_t i = 0; i < pids_.size(); ++i) Kill(i);
  for (void* page : pages_) ::munmap(page, kPageBytes);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string Voters::folder(size_t i) const { return folder_ + "/" + std::to_string(i); }

// The process of a voter. What it has of the test's is closed, so that the test's connections end
// when the test ends them.
void Voters::Run(size_t i, int report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int kept = ::dup2(report, 3);
  ::close_range(4, ~0U, 0);
  ::signal(SIGXFSZ, SIG_IGN);
  std::filesystem::create_directories(folder(i));
  if (options_.disk_bytes > 0 && !MountDisk(folder(i), options_.disk_bytes)) {
    ::_exit(::write(kept, kNoDisk, sizeof(kNoDisk) - 1) > 0 ? 1 : 2);
  }
  uv_loop_t loop{};
  uv_loop_init(&loop);
  UvRaftNode::Options options;
  options.fleet = "f";
  options.secret = kSecret;
  options.folder = folder(i);
  options.voter = addresses_[i];
  if (i < founders_.size()) options.voters = founders_;
  options.listen.host = "127.0.0.1";
  options.listen.port = ports_[i]->number();
  options.election_ms = options_.election_ms;
  options.heartbeat_ms = options_.heartbeat_ms;
  options.snapshot_after = options_.snapshot_after;
  options.on_warning = [page = PageAt(pages_[i])](const std::string& text) {
    text.copy(page->warning, std::min(text.size(), sizeof(page->warning) - 1));
    ++page->warnings;
  };
  std::string error;
  const std::unique_ptr<UvRaftNode> node = UvRaftNode::Open(&loop, options, &error);
  if (node == nullptr) {
    const bool written = ::write(kept, error.data(), error.size()) > 0;
    ::_exit(written ? 1 : 2);
  }
  ::close(kept);
  std::pair<UvRaftNode*, SharedPage*> shown{node.get(), PageAt(pages_[i])};
  uv_timer_t look;
  uv_timer_init(&loop, &look);
  look.data = &shown;
  uv_timer_start(
      &look,
      [](uv_timer_t* timer) {
        auto* each = static_cast<std::pair<UvRaftNode*, SharedPage*>*>(timer->data);
        each->second->leads = each->first->leads();
        each->second->last_applied = each->first->last_applied();
      },
      1, 1);
  uv_run(&loop, UV_RUN_DEFAULT);
  ::_exit(3);
}

std::string Voters::Start(size_t i) {
  if (alive(i)) return {};
  int report[2];
  if (::pipe(report) != 0) return "no pipe";
  PageAt(pages_[i])->leads = false;
  PageAt(pages_[i])->warnings = 0;
  std::memset(PageAt(pages_[i])->warning, 0, sizeof(SharedPage::warning));
  pids_[i] = ::fork();
  if (pids_[i] == 0) Run(i, report[1]);
  ::close(report[1]);
  std::string error;
  char buffer[512];
  for (ssize_t size = 0; (size = ::read(report[0], buffer, sizeof(buffer))) > 0;) {
    error.append(buffer, static_cast<size_t>(size));
  }
  ::close(report[0]);
  if (!error.empty()) {
    ::waitpid(pids_[i], nullptr, 0);
    pids_[i] = 0;
  }
  return error;
}

void Voters::Kill(size_t i) {
  if (!alive(i)) return;
  ::kill(pids_[i], SIGKILL);
  ::waitpid(pids_[i], nullptr, 0);
  pids_[i] = 0;
  PageAt(pages_[i])->leads = false;
}

void Voters::Pause(size_t i) {
  ::kill(pids_[i], SIGSTOP);
  PageAt(pages_[i])->leads = false;
}

void Voters::Resume(size_t i) { ::kill(pids_[i], SIGCONT); }

// Seen from outside.
std::string Voters::Filler(size_t i) const {
  return "/proc/" + std::to_string(pids_[i]) + "/root" + folder(i) + "/filler";
}

void Voters::FillDisk(size_t i) {
  const int fd = ::open(Filler(i).c_str(), O_CREAT | O_WRONLY, 0600);
  const std::string page(kPageBytes, 'x');
  while (::write(fd, page.data(), page.size()) > 0) continue;
  ::close(fd);
}

void Voters::FreeDisk(size_t i) { ::unlink(Filler(i).c_str()); }

Voters::Page Voters::Look(size_t i) const {
  return {PageAt(pages_[i])->leads, PageAt(pages_[i])->last_applied};
}

std::string Voters::Warning(size_t i) const {
  return PageAt(pages_[i])->warnings > 0 ? PageAt(pages_[i])->warning : "";
}

size_t Voters::Leader() {
  for (size_t i = 0; i < pids_.size(); ++i) {
    if (alive(i) && Look(i).leads) return i;
  }
  return pids_.size();
}

EngineOptions Voters::Options(const std::string& member) const {
  EngineOptions options;
  options.name = "raft";
  options.fleet = "f";
  options.servers = founders_;
  options.member = member;
  options.secret = kSecret;
  return options;
}

}  // namespace gemel::raft_test
