#include "proxy/top/top_view.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "backend/bytes/printable.h"

namespace gemel {

namespace {

constexpr size_t kMostCommands = 8;
constexpr size_t kMostKeys = 8;
constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kNoColor = "\033[m";

// "1,234,567"
std::string Grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string Size(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1024;
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return text;
}

std::string Uptime(uint64_t seconds) {
  char text[48];
  std::snprintf(text, sizeof(text), "%llu d %02llu:%02llu:%02llu",
                static_cast<unsigned long long>(seconds / 86400),
                static_cast<unsigned long long>(seconds / 3600 % 24),
                static_cast<unsigned long long>(seconds / 60 % 60),
                static_cast<unsigned long long>(seconds % 60));
  return text;
}

// In so many columns, of which a character of UTF-8 takes one.
std::string Fit(std::string text, size_t columns) {
  size_t width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (width++ == columns) return text.substr(0, i);
  }
  return text + std::string(columns - width, ' ');
}

std::string Right(const std::string& text, size_t columns) {
  return text.size() >= columns ? text : std::string(columns - text.size(), ' ') + text;
}

class View {
 public:
  View(const TopSnapshot* before, const TopSnapshot& now, const TopScreen& screen)
      : before_(before), now_(now), screen_(screen) {
    if (before != nullptr && now.at_us > before->at_us) {
      seconds_ = static_cast<double>(now.at_us - before->at_us) / 1e6;
    }
  }

  std::vector<std::string> Make(std::string_view address) {
    AddHead(address);
    AddShards();
    AddCommands();
    AddKeys();
    if (screen_.rows > 0 && lines_.size() > screen_.rows) lines_.resize(screen_.rows);
    return std::move(lines_);
  }

 private:
  // Each a second; "-": nothing is known. A counter that was reset has no past.
  std::string Rate(uint64_t before, uint64_t now) const {
    return seconds_ > 0 && now >= before ? Grouped(PerSecond(before, now)) : "-";
  }
  uint64_t PerSecond(uint64_t before, uint64_t now) const {
    return static_cast<uint64_t>(static_cast<double>(now - before) / seconds_ + 0.5);
  }
  std::string RateOf(std::string_view field) const {
    return Rate(before_ != nullptr ? before_->Number(field) : 0, now_.Number(field));
  }
  std::string SizeRateOf(std::string_view field) const {
    const uint64_t before = before_ != nullptr ? before_->Number(field) : 0;
    const uint64_t now = now_.Number(field);
    return seconds_ > 0 && now >= before ? Size(static_cast<double>(PerSecond(before, now))) : "-";
  }
  static double CpuOf(const TopSnapshot& snapshot) {
    double sum = 0;
    for (const std::string_view field : {"used_cpu_sys", "used_cpu_user"}) {
      sum += std::strtod(std::string(snapshot.Text(field)).c_str(), nullptr);
    }
    return sum;
  }
  std::string Cpu() const {
    if (!(seconds_ > 0)) return "-";
    char text[32];
    const double used = std::max(0.0, CpuOf(now_) - CpuOf(*before_));
    std::snprintf(text, sizeof(text), "%.0f%%", used / seconds_ * 100);
    return text;
  }

  void Add(const std::string& line, std::string_view color = {}) {
    std::string fit = screen_.columns == 0 ? line : Fit(line, screen_.columns);
    fit.erase(fit.find_last_not_of(' ') + 1);
    if (screen_.colors && !color.empty()) {
      fit = std::string(color) + fit + std::string(kNoColor);
    }
    lines_.push_back(std::move(fit));
  }
  void AddTitle(const std::string& line) {
    Add("");
    Add(line, kBold);
  }

  void AddHead(std::string_view address) {
    Add("gemel " + Printable(now_.Text("gemel_version")) + " at " + Printable(address) + ", pid " +
            Printable(now_.Text("process_id")) + ", up " +
            Uptime(now_.Number("uptime_in_seconds")) + ", " + Printable(now_.Text("workers")) +
            " worker(s)",
        kBold);
    Add("requests " + RateOf("total_commands_processed") + "/s   in " +
        SizeRateOf("total_net_input_bytes") + "/s   out " + SizeRateOf("total_net_output_bytes") +
        "/s   cpu " + Cpu() + "   longest turn " + Printable(now_.Text("longest_turn_ms")) + " ms");
    Add("clients " + Grouped(now_.Number("connected_clients")) + " (" +
        Grouped(now_.Number("blocked_clients")) + " wait, " +
        Grouped(now_.Number("rejected_connections")) + " were turned away)   memory " +
        Size(static_cast<double>(now_.Number("proxy_used_memory"))) + "   held " +
        Size(static_cast<double>(now_.Number("buffered_bytes"))));
    if (!now_.Text("last_reload_error").empty()) {
      Add("the last reload was refused: " + Printable(now_.Text("last_reload_error")), kRed);
    }
    if (!now_.error.empty()) Add(Printable(now_.error), kRed);
  }

  const TopShard* Before(const TopShard& shard) const {
    if (before_ == nullptr) return nullptr;
    for (const TopShard& other : before_->shards) {
      if (other.name == shard.name) return &other;
    }
    return nullptr;
  }

  void AddShards() {
    if (now_.shards.empty()) return;
    AddTitle(Fit("SHARD", 14) + Right("EPOCH", 6) + Right("READS/S", 11) + Right("WRITES/S", 11) +
             "  " + Fit("NODE", 24) + Fit("ROLE", 9) + Fit("STATE", 9) + Fit("HEALTH", 9) +
             Right("PENDING", 8));
    for (const TopShard& shard : now_.shards) {
      const TopShard* before = Before(shard);
      std::string left = Fit(Printable(shard.name), 14) + Right(std::to_string(shard.epoch), 6) +
                         Right(before != nullptr ? Rate(before->reads, shard.reads) : "-", 11) +
                         Right(before != nullptr ? Rate(before->writes, shard.writes) : "-", 11) +
                         "  ";
      if (shard.nodes.empty()) Add(left + "owned by " + Printable(shard.owner));
      for (const TopNode& node : shard.nodes) {
        const bool well = node.state == "in-sync" && node.health == "up";
        Add(left + Fit(Printable(node.address), 23) + " " + Fit(Printable(node.role), 9) +
                Fit(Printable(node.state), 9) + Fit(Printable(node.health), 9) +
                Right(Grouped(node.pending), 8) +
                (node.note.empty() ? "" : "  " + Printable(node.note)),
            well ? std::string_view() : kRed);
        left.assign(44, ' ');
      }
      if (!shard.members.empty()) Add(std::string(44, ' ') + Printable(shard.members));
    }
  }

  const TopCommand* Before(const TopCommand& command) const {
    if (before_ == nullptr) return nullptr;
    for (const TopCommand& other : before_->commands) {
      if (other.name == command.name) return &other;
    }
    return nullptr;
  }

  // Those that were called since, the most first.
  void AddCommands() {
    struct Line {
      uint64_t calls;
      uint64_t usec;
      const TopCommand* command;
    };
    std::vector<Line> lines;
    for (const TopCommand& command : now_.commands) {
      const TopCommand* before = Before(command);
      const bool goes_on = before != nullptr && before->calls <= command.calls;
      const Line line{command.calls - (goes_on ? before->calls : 0),
                      command.usec - (goes_on ? std::min(before->usec, command.usec) : 0),
                      &command};
      if (before_ != nullptr && line.calls > 0) lines.push_back(line);
    }
    std::stable_sort(lines.begin(), lines.end(),
                     [](const Line& one, const Line& other) { return one.calls > other.calls; });
    if (lines.empty()) return;
    AddTitle(Fit("COMMAND", 24) + Right("CALLS/S", 12) + Right("MEAN US", 12) +
             Right("P99 US", 14));
    for (size_t i = 0; i < std::min(lines.size(), kMostCommands); ++i) {
      const auto& [calls, usec, command] = lines[i];
      Add(Fit(Printable(command->name), 24) + Right(Rate(0, calls), 12) +
          Right(Grouped(usec / calls), 12) +
          Right(command->p99.empty() ? "-" : Printable(command->p99), 14));
    }
  }

  void AddKeys() {
    if (now_.keys.empty()) return;
    AddTitle(Fit("HOT KEY", 56) + Right("SHARE", 8) + "  of " + Grouped(now_.sampled) +
             " requests that were looked at");
    for (size_t i = 0; i < std::min(now_.keys.size(), kMostKeys); ++i) {
      char share[16];
      std::snprintf(
          share, sizeof(share), "%.1f%%",
          static_cast<double>(now_.keys[i].requests) * 100 / static_cast<double>(now_.sampled));
      Add(Fit(Printable(now_.keys[i].key), 55) + " " + Right(share, 8));
    }
  }

  const TopSnapshot* before_;
  const TopSnapshot& now_;
  const TopScreen screen_;
  double seconds_ = 0;  // since before; 0: nothing is known of that
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> TopLines(std::string_view address, const TopSnapshot* before,
                                  const TopSnapshot& now, const TopScreen& screen) {
  return View(before, now, screen).Make(address);
}

}  // namespace gemel
