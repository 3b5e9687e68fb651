#include "backend/resync/diskless_delay.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/resync/replication_info.h"

namespace gemel {

namespace {

constexpr std::string_view kDelay = "repl-diskless-sync-delay";
constexpr std::string_view kMaxReplicas = "repl-diskless-sync-max-replicas";
// In kMaxReplicas, and more than anybody has: this, kPerSecond for each second of the delay, and
// what it was itself.
constexpr int64_t kMark = 1000000000;
constexpr int64_t kPerSecond = 1000;
constexpr int64_t kLongest = 1000000;  // such a delay fits still

}  // namespace

struct DisklessDelay::Settings {
  bool diskless = false;
  int64_t delay_s = -1;
  int64_t max_replicas = -1;  // -1: an older Redis, which does not know it
  bool left = false;          // taken away; the numbers are those of before

  // `text`: the reply to CONFIG GET, a name and a value in turn, one a line.
  explicit Settings(std::string_view text) {
    std::string_view name;
    for (size_t line = 0; !text.empty(); ++line) {
      const std::string_view word = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), word.size() + 1));
      if (line % 2 == 0) {
        name = word;
      } else if (name == "repl-diskless-sync") {
        diskless = word == "yes";
      } else if (name == kDelay) {
        delay_s = InfoNumber(word);
      } else if (name == kMaxReplicas) {
        max_replicas = InfoNumber(word);
      }
    }
    if (max_replicas >= kMark) {
      left = true;
      delay_s = (max_replicas - kMark) / kPerSecond;
      max_replicas = (max_replicas - kMark) % kPerSecond;
    }
  }

  static std::vector<std::string> Set(int64_t delay_s, int64_t max_replicas) {
    std::vector<std::string> command = {"CONFIG", "SET", std::string(kDelay),
                                        std::to_string(delay_s)};
    if (max_replicas >= 0) {
      command.emplace_back(kMaxReplicas);
      command.push_back(std::to_string(max_replicas));
    }
    return command;
  }
  std::vector<std::string> AsBefore() const { return Set(delay_s, max_replicas); }
};

void DisklessDelay::TakeAway(uint32_t node, std::function<void()> next) {
  PutBack();
  port_->Command(
      node, {"CONFIG", "GET", "repl-diskless-sync*"},
      alive_.Guard([this, node, round = round_, next = std::move(next)](const ControlReply& reply) {
        if (round == round_) OnSettings(node, Settings(reply.text), next);
      }));
}

void DisklessDelay::OnSettings(uint32_t node, const Settings& settings,
                               const std::function<void()>& next) {
  if (!settings.diskless || settings.delay_s <= 0) {
    next();
    return;
  }
  node_ = node;
  before_ = settings.AsBefore();
  std::vector<std::string> command = Settings::Set(0, -1);
  if (settings.max_replicas >= 0 && settings.max_replicas < kPerSecond &&
      settings.delay_s <= kLongest) {
    command = Settings::Set(0, kMark + settings.delay_s * kPerSecond + settings.max_replicas);
  }
  port_->Command(node, std::move(command),
                 alive_.Guard([this, round = round_, next](const ControlReply& reply) {
                   if (round != round_) return;
                   if (reply.refused) before_.clear();
                   next();
                 }));
}

void DisklessDelay::TakeAgain() {
  if (before_.empty()) return;
  port_->Command(node_, {"CONFIG", "GET", "repl-diskless-sync*"},
                 alive_.Guard([this, round = round_](const ControlReply& reply) {
                   const Settings settings(reply.text);
                   if (round == round_ && !settings.left) OnSettings(node_, settings, [] {});
                 }));
}

void DisklessDelay::PutBack() {
  ++round_;
  if (before_.empty()) return;
  port_->Command(node_, std::exchange(before_, {}), [](const ControlReply&) {});
}

void DisklessDelay::Heal(ControlPort* port, uint32_t node) {
  port->Command(node, {"CONFIG", "GET", std::string(kMaxReplicas)},
                [port, node](const ControlReply& reply) {
                  const Settings settings(reply.text);
                  if (settings.left) {
                    port->Command(node, settings.AsBefore(), [](const ControlReply&) {});
                  }
                });
}

}  // namespace gemel
