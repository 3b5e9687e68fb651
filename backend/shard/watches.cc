#include "backend/shard/watches.h"

#include <algorithm>
#include <utility>

#include "backend/command/no_effect.h"
#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

// What is dropped is forgotten that late at most.
constexpr uint64_t kSweepMs = 100;

const WatchCargo& CargoOf(const Request& request) {
  return static_cast<const WatchCargo&>(*request.extra->cargo);
}

}  // namespace

void Watches::Begin(const Request& request) {
  const std::shared_ptr<WatchTicket>& ticket = CargoOf(request).ticket;
  WatchPtr& watch = watches_[ticket.get()];
  if (watch == nullptr) {
    watch = std::make_shared<Watch>();
    watch->ticket = ticket;
  }
  frame_.Look(request);
  for (size_t i = 0; i < frame_.size(); ++i) {
    const std::string key(frame_.key(i));
    if (std::find(watch->keys.begin(), watch->keys.end(), key) != watch->keys.end()) continue;
    keys_[key].push_back(watch);
    watch->keys.push_back(key);
  }
}

Watches::~Watches() {
  for (const auto& [ticket, watch] : watches_) watch->ticket->lost = true;
}

Watches::WatchPtr Watches::Find(const Request& request) const {
  const auto found = watches_.find(CargoOf(request).ticket.get());
  return found != watches_.end() ? found->second : nullptr;
}

bool Watches::MustWait(const Request& request) {
  const WatchPtr watch = Find(request);
  const bool waits = watch != nullptr && !watch->touched && watch->undecided > 0;
  waited_for_ |= waits;
  return waits;
}

// One that is not known any more was forgotten with what had been touched.
bool Watches::IsTouched(const Request& request) {
  const WatchPtr watch = Find(request);
  if (watch == nullptr || CargoOf(request).ticket->lost) return true;
  const std::vector<std::string>& existed = CargoOf(request).existed;
  const bool touched =
      watch->touched || std::any_of(existed.begin(), existed.end(), [&](const std::string& key) {
        return watch->emptied[DatabaseOf(key)];
      });
  if (touched) {
    ++touched_;
    Forget(watch);
  }
  return touched;
}

void Watches::OnWrite(const Op* op, const Request& request) {
  if (watches_.empty()) return;
  frame_.Look(request);
  Write write;
  write.block = request.block;
  if (request.guarded) write.own = Find(request);
  size_t element = 0;
  frame_.ForEachCommand(request.row, request.database, [&](const FrameKeys::Command& command) {
    OnCommand(command, element++, &write);
  });
  if (!write.touches.empty() || write.own != nullptr) undecided_[op] = std::move(write);
}

void Watches::OnCommand(const FrameKeys::Command& command, size_t element, Write* write) {
  if (command.row == nullptr) {
    TouchAll();
    return;
  }
  if (!command.MayWrite()) return;
  if (command.begin == command.end) {
    OnWholeDatabase(command);
    return;
  }
  Touch touch;
  const WrittenKeys written = command.row->written;
  const uint32_t begin = written == WrittenKeys::kLast ? command.end - 1 : command.begin;
  const uint32_t end = written == WrittenKeys::kFirst ? command.begin + 1 : command.end;
  for (uint32_t i = begin; i < end; ++i) {
    const auto found = keys_.find(frame_.key(i));
    if (found == keys_.end()) continue;
    for (const WatchPtr& watch : found->second) {
      if (watch->touched || watch == write->own) continue;
      ++watch->undecided;
      touch.watches.push_back(watch);
    }
  }
  if (touch.watches.empty()) return;
  touch.element = element;
  touch.no_effect = NoEffectOf(*command.row, command.args);
  write->touches.push_back(std::move(touch));
}

// FLUSHALL, FLUSHDB, SWAPDB; or a script that says nothing of what it writes.
void Watches::OnWholeDatabase(const FrameKeys::Command& command) {
  const CommandRow& row = *command.row;
  std::bitset<kMostDatabases> databases;
  if (SwapsDatabases(row)) {
    if (command.args[1] == command.args[2]) return;
    for (const std::string_view arg : command.args.subspan(1)) {
      int64_t index = 0;
      if (ParseInteger(arg, &index) && index >= 0 && index < int64_t{kMostDatabases}) {
        databases.set(static_cast<size_t>(index));
      }
    }
  } else if (row.split != Split::kEachShard) {
    return TouchAll();
  } else if (row.arg_rule == ArgRule::kFlushAll) {
    databases.set();
  } else {
    databases.set(command.database);
  }
  for (const auto& [ticket, watch] : watches_) {
    if (!SwapsDatabases(row)) {
      watch->emptied |= databases;
    } else if (std::any_of(watch->keys.begin(), watch->keys.end(),
                           [&](const std::string& key) { return databases[DatabaseOf(key)]; })) {
      watch->touched = true;
    }
  }
}

void Watches::DecideOne(const Touch& touch, bool touched) {
  for (const WatchPtr& watch : touch.watches) {
    --watch->undecided;
    watch->touched |= touched;
  }
}

// An empty reply: it may have been carried out.
void Watches::Decide(Write* write, std::string_view reply) {
  write->answered = true;
  std::vector<std::string_view> elements;
  const bool error = reply.starts_with('-');
  if (!write->block) {
    elements.push_back(reply);
  } else if (!error && !SplitArray(reply, &elements)) {
    elements.clear();
  }
  for (const Touch& touch : write->touches) {
    const std::string_view answer =
        touch.element < elements.size() ? elements[touch.element] : std::string_view();
    DecideOne(touch, !error && (answer.empty() || !HadNoEffect(touch.no_effect, answer)));
  }
  write->touches.clear();
}

void Watches::OnAnswer(const Op* op, std::string_view reply) {
  if (const auto found = undecided_.find(op); found != undecided_.end()) {
    Decide(&found->second, reply);
  }
}

void Watches::OnUnknown(const Op* op) { OnAnswer(op, {}); }

void Watches::OnEnd(const Op* op) {
  if (auto found = undecided_.extract(op); !found.empty()) {
    Write& write = found.mapped();
    for (const Touch& touch : write.touches) DecideOne(touch, false);
    if (write.answered && write.own != nullptr) Forget(write.own);
  }
  if (std::exchange(waited_for_, false)) parts_->shard->Refresh();
}

void Watches::OnEvicted(std::string_view key) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return;
  for (const WatchPtr& watch : found->second) watch->touched = true;
}

void Watches::TouchAll() {
  for (const auto& [ticket, watch] : watches_) watch->touched = true;
}

void Watches::LoseAll() {
  for (const auto& [ticket, watch] : watches_) {
    watch->touched = true;
    watch->ticket->lost = true;
  }
}

void Watches::Forget(const WatchPtr& watch) {
  const WatchPtr held = watch;
  if (watches_.erase(held->ticket.get()) == 0) return;
  for (const std::string& key : held->keys) {
    const auto found = keys_.find(key);
    std::erase(found->second, held);
    if (found->second.empty()) keys_.erase(found);
  }
}

void Watches::Tick(uint64_t now_ms) {
  if (watches_.empty() || now_ms < swept_ms_ + kSweepMs) return;
  swept_ms_ = now_ms;
  std::vector<WatchPtr> dropped;
  for (const auto& [ticket, watch] : watches_) {
    if (ticket->dropped) dropped.push_back(watch);
  }
  for (const WatchPtr& watch : dropped) Forget(watch);
}

}  // namespace gemel
