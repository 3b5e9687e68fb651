#include "proxy/top/posix_top.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/top/posix_top_link.h"
#include "proxy/top/top_view.h"

namespace gemel {

namespace {

// Of each view: for so long the requests are looked at whose keys are told, and so many at most.
constexpr std::string_view kSampleSeconds = "0.1";
constexpr std::string_view kSampled = "1000";

volatile sig_atomic_t told_to_end = 0;

uint64_t NowUs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

// The terminal as top needs it, and as it was once this goes.
class Terminal {
 public:
  Terminal() : is_one_(::isatty(STDOUT_FILENO) == 1) {
    struct sigaction action {};
    action.sa_handler = [](int) { told_to_end = 1; };
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
      ::sigaction(number, &action, nullptr);
    }
    if (!is_one_) return;
    reads_keys_ = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (reads_keys_) {
      termios keys = before_;
      keys.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO));
      ::tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    // The other screen, without a cursor.
    Write("\033[?1049h\033[?25l");
  }
  ~Terminal() {
    if (!is_one_) return;
    Write("\033[?25h\033[?1049l");
    if (reads_keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  TopScreen screen() const {
    winsize size{};
    if (!is_one_ || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return {};
    return {size.ws_row, size.ws_col, true};
  }
  // False: nobody reads it any more.
  bool Show(const std::vector<std::string>& lines) const {
    std::string text = is_one_ ? "\033[H" : "";
    for (size_t i = 0; i < lines.size(); ++i) {
      text += lines[i];
      if (is_one_) text += "\033[K";
      // The last line of a full screen would move it.
      if (!is_one_ || i + 1 < lines.size()) text += is_one_ ? "\r\n" : "\n";
    }
    text += is_one_ ? "\033[J" : "\n";
    return Write(text);
  }
  // False: it is to end.
  bool Wait(uint64_t until_us) const {
    while (told_to_end == 0) {
      const uint64_t now_us = NowUs();
      if (now_us >= until_us) return true;
      pollfd keys{STDIN_FILENO, POLLIN, 0};
      const int ms = static_cast<int>(std::min<uint64_t>((until_us - now_us) / 1000 + 1, 1000));
      if (::poll(&keys, reads_keys_ ? 1 : 0, ms) <= 0) continue;
      char key = 'q';  // also if there will be no more
      if (::read(STDIN_FILENO, &key, 1) == 0 || key == 'q' || key == 'Q') return false;
    }
    return false;
  }

 private:
  static bool Write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t wrote = ::write(STDOUT_FILENO, text.data(), text.size());
      if (wrote <= 0) return false;
      text.remove_prefix(static_cast<size_t>(wrote));
    }
    return true;
  }

  const bool is_one_;
  bool reads_keys_ = false;
  termios before_{};
};

bool LogIn(const TopOptions& options, TopLink* link, std::string* error) {
  if (options.password.empty()) return true;
  std::string reply;
  const bool answered = options.user.empty()
                            ? link->Ask({"AUTH", options.password}, &reply, error)
                            : link->Ask({"AUTH", options.user, options.password}, &reply, error);
  if (!answered) return false;
  if (reply.starts_with('-')) *error = reply.substr(1, reply.find('\r') - 1);
  return !reply.starts_with('-');
}

bool Look(TopLink* link, TopSnapshot* snapshot, std::string* error) {
  std::string reply;
  if (!link->Ask({"INFO", "server", "clients", "memory", "stats", "cpu", "reload", "commandstats",
                  "latencystats"},
                 &reply, error)) {
    return false;
  }
  snapshot->at_us = NowUs();
  ReadTopInfo(reply, snapshot);
  // Who may not see this sees no more: a password is lacking, or it is no gemel.
  if (snapshot->info.find("gemel_version") == snapshot->info.end()) {
    *error = snapshot->error.empty() ? "what answers there is no gemel" : snapshot->error;
    if (error->starts_with("NOAUTH")) *error += " Put the password into GEMEL_PASSWORD";
    return false;
  }
  if (!link->Ask({"PROXY", "SHARDS"}, &reply, error)) return false;
  ReadTopShards(reply, snapshot);
  if (!link->Ask({"PROXY", "TRACE", "*", kSampleSeconds, "COUNT", kSampled}, &reply, error)) {
    return false;
  }
  ReadTopKeys(reply, snapshot);
  return true;
}

// "": it came to a good end.
std::string Run(const TopOptions& options) {
  const std::string address = options.host + ":" + options.port;
  TopLink link;
  std::string error;
  if (!link.Connect(options.host, options.port, &error)) {
    return "cannot connect to " + address + ": " + error +
           "; is a gemel running there? --host and --port say where";
  }
  if (!LogIn(options, &link, &error)) return address + ": " + error;
  TopSnapshot first;
  if (!Look(&link, &first, &error)) return address + ": " + error;
  const Terminal terminal;
  std::optional<TopSnapshot> before;
  TopSnapshot now = std::move(first);
  for (uint64_t views = 1;; ++views) {
    if (!terminal.Show(TopLines(address, before ? &*before : nullptr, now, terminal.screen()))) {
      return "";
    }
    if (views == options.count) return "";
    if (!terminal.Wait(now.at_us + static_cast<uint64_t>(options.interval_s * 1e6))) return "";
    before = std::move(now);
    now = TopSnapshot();
    if (!Look(&link, &now, &error)) return told_to_end != 0 ? "" : address + ": " + error;
  }
}

}  // namespace

int RunTop(const TopOptions& options) {
  const std::string error = Run(options);
  if (error.empty()) return 0;
  std::fprintf(stderr, "gemel top: %s\n", error.c_str());
  return 1;
}

}  // namespace gemel
