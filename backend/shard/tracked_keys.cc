#include "backend/shard/tracked_keys.h"

#include <algorithm>
#include <utility>

#include "backend/command/no_effect.h"
#include "backend/command/other_database.h"
#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/shard/copies.h"
#include "backend/shard/removals.h"

namespace gemel {

namespace {

// So long a client waits for its tracking where a node does not tell what expires.
constexpr uint64_t kTrackingWaitMs = 1000;
// So long the nodes go on telling when nobody tracks.
constexpr uint64_t kKeepHearingMs = 60 * 1000;
// Of one change of the limit.
constexpr uint64_t kMostForgottenAtOnce = 10 * 1000;

constexpr uint64_t kAnyNumber = ~uint64_t{0};

}  // namespace

TrackedKeys::TrackedKeys(ShardParts* parts)
    : parts_(parts),
      sink_(parts->env->tracking()),
      totals_(parts->env->tracking_totals() != nullptr ? parts->env->tracking_totals()
                                                       : &own_totals_),
      table_(totals_),
      reads_([this](const TrackedReads::Landed& landed) { Land(landed); }) {}

// --- who tracks ---

void TrackedKeys::Submit(Request* request) {
  const auto& cargo = static_cast<const TrackingCargo&>(*request->extra->cargo);
  const uint64_t now_ms = parts_->env->NowMs();
  Unregister(cargo.session);
  if (!cargo.on || sink_ == nullptr) {
    request->sink->OnReply(request, Reply{"+OK\r\n", nullptr});
    return;
  }
  used_ms_ = now_ms;
  wants_removals_ = true;
  if (clients_.empty()) heard_ = Hears();
  Register(cargo);
  waiting_.push_back({request, now_ms + kTrackingWaitMs});
  Settle(now_ms);
}

void TrackedKeys::Register(const TrackingCargo& cargo) {
  clients_[cargo.session] = {cargo.worker, cargo.noloop, cargo.prefixes};
  for (const std::string& prefix : cargo.prefixes) ++prefixes_[prefix][cargo.worker];
}

void TrackedKeys::Unregister(uint32_t session) {
  const auto client = clients_.find(session);
  if (client == clients_.end()) return;
  for (const std::string& prefix : client->second.prefixes) {
    const auto found = prefixes_.find(prefix);
    if (--found->second[client->second.worker] == 0) found->second.erase(client->second.worker);
    if (found->second.empty()) prefixes_.erase(found);
  }
  clients_.erase(client);
  if (clients_.empty()) table_.Clear();
}

bool TrackedKeys::Hears() const {
  bool all = true;
  ForEachCopy(parts_->copies->readable(),
              [&](uint32_t copy) { all = all && parts_->removals->feeds().Hears(copy); });
  return all;
}

// What expires from then on nobody would be told of, nor was, where prefixes are tracked, of what
// did so meanwhile. (Of single keys nothing was remembered.)
void TrackedKeys::LookWhetherHeard() {
  if (idle()) return;
  const bool hears = Hears();
  if (std::exchange(heard_, hears) != hears) hears ? TellThoseOfPrefixes() : OnAllChanged();
  if (!waiting_.empty()) Settle(parts_->env->NowMs());
}

// Who waits has nothing yet.
void TrackedKeys::TellThoseOfPrefixes() {
  for (const auto& [session, client] : clients_) {
    const bool waits =
        std::any_of(waiting_.begin(), waiting_.end(), [id = session](const Waiting& one) {
          return static_cast<const TrackingCargo&>(*one.request->extra->cargo).session == id;
        });
    if (!client.prefixes.empty() && !waits) sink_->OnAllChanged(client.worker, session);
  }
}

void TrackedKeys::Settle(uint64_t now_ms) {
  std::list<Waiting> done;  // an answer may bring others
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto waiting = it++;
    if (heard_ || now_ms >= waiting->until_ms) done.splice(done.end(), waiting_, waiting);
  }
  for (const Waiting& waiting : done) {
    waiting.request->sink->OnReply(waiting.request, Reply{"+OK\r\n", nullptr});
  }
}

void TrackedKeys::Tick(uint64_t now_ms) {
  if (idle()) {
    if (wants_removals_ && now_ms > used_ms_ + kKeepHearingMs) wants_removals_ = false;
    return;
  }
  used_ms_ = now_ms;
  LookWhetherHeard();
  Settle(now_ms);
  KeepWithinLimit();
}

void TrackedKeys::Stop() { Settle(kAnyNumber); }

// --- reads ---

// Within a transaction those of commands that read count; of a script all that it declares.
void TrackedKeys::Begin(Request* request) {
  const auto client = clients_.find(request->session);
  if (client == clients_.end() || !client->second.prefixes.empty()) return;
  frame_.Look(*request);
  std::vector<std::string> keys;
  frame_.ForEachCommand(request->row, request->database, [&](const FrameKeys::Command& command) {
    const CommandRow* row = command.row;
    if (row == nullptr) return;
    if ((row->flags & kCmdReadonly) == 0 && row->script == ScriptRule::kNone) return;
    for (uint32_t i = command.begin; i < command.end; ++i) {
      keys.emplace_back(KeyOf(frame_.key(i)));
    }
  });
  if (keys.empty()) return;
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  reads_.Begin(request, ++number_, std::move(keys), !heard_);
}

void TrackedKeys::Land(const TrackedReads::Landed& landed) {
  if (!clients_.contains(landed.session)) return;
  for (size_t i = 0; i < landed.keys.size(); ++i) {
    if (landed.changed[i]) {
      TellKey(landed.session, landed.keys[i]);
    } else {
      table_.Add(landed.keys[i], landed.session,
                 [this](uint32_t session) { return clients_.contains(session); });
    }
  }
  KeepWithinLimit();
}

// As Redis does: some key goes, and who has it is told.
void TrackedKeys::KeepWithinLimit() {
  const uint64_t most = parts_->options.tracking_table_max_keys;
  for (uint64_t i = 0; i < kMostForgottenAtOnce && table_.size() > 0 &&
                       totals_->keys.load(std::memory_order_relaxed) > most;
       ++i) {
    random_ = random_ * 1664525u + 1013904223u;
    const std::string key = table_.AnyKey(random_ >> 8);
    for (const uint32_t session : table_.Take(key)) TellKey(session, key);
  }
}

void TrackedKeys::TellKey(uint32_t session, std::string_view key) {
  const auto client = clients_.find(session);
  // As with Redis: one that tracks prefixes by now is not told of single keys.
  if (client == clients_.end() || !client->second.prefixes.empty()) return;
  ++told_;
  sink_->OnKeyChanged(client->second.worker, session, key);
}

// --- writes ---

bool TrackedKeys::IsTracked(std::string_view key) const {
  if (table_.Has(key) || reads_.Has(key)) return true;
  return std::any_of(prefixes_.begin(), prefixes_.end(),
                     [key](const auto& prefix) { return key.starts_with(prefix.first); });
}

void TrackedKeys::OnWrite(Op* op, const Request& request) {
  frame_.Look(request);
  Write write;
  write.block = request.block;
  write.session = request.session;
  write.number = ++number_;
  size_t element = 0;
  frame_.ForEachCommand(request.row, request.database, [&](const FrameKeys::Command& command) {
    OnCommand(command, element++, &write);
  });
  if (write.touches.empty()) return;
  op->tracked = true;
  writes_[op] = std::move(write);
}

void TrackedKeys::OnCommand(const FrameKeys::Command& command, size_t element, Write* write) {
  const CommandRow* row = command.row;
  Touch touch;
  touch.element = element;
  touch.row = row;
  if (row == nullptr) {
    touch.all = true;  // nobody knows what it does
  } else if ((row->flags & kCmdReadonly) != 0 || !command.MayWrite()) {
    return;
  } else if (command.begin == command.end) {
    if (SwapsDatabases(*row) && command.args[1] == command.args[2]) return;
    touch.all = true;
  } else {
    touch.no_effect = NoEffectOf(*row, command.args);
    const uint32_t begin = row->written == WrittenKeys::kLast ? command.end - 1 : command.begin;
    const uint32_t end = row->written == WrittenKeys::kFirst ? command.begin + 1 : command.end;
    for (uint32_t i = begin; i < end; ++i) {
      const std::string_view key = KeyOf(frame_.key(i));
      if (IsTracked(key)) touch.keys.emplace_back(key);
    }
    if (touch.keys.empty()) return;
  }
  write->touches.push_back(std::move(touch));
}

bool TrackedKeys::HadEffect(const Touch& touch, bool block, std::string_view whole,
                            std::string_view element) {
  if (whole.empty()) return true;  // nobody knows
  // A script may have come some way before its error.
  const bool script = touch.row != nullptr && touch.row->script != ScriptRule::kNone;
  if (block && whole[0] == '-') return script;
  if (element.empty()) return !IsNullReply(whole);  // a guarded block that was not carried out
  return (script && element[0] == '-') || !HadNoEffect(touch.no_effect, element);
}

void TrackedKeys::Decide(Write* write, std::string_view reply, bool last) {
  std::vector<std::string_view> elements;
  if (!write->block) {
    elements.push_back(reply);
  } else if (!reply.empty() && reply[0] != '-' && !SplitArray(reply, &elements)) {
    elements.clear();
  }
  for (Touch& touch : write->touches) {
    const std::string_view element =
        touch.element < elements.size() ? elements[touch.element] : std::string_view();
    if (!touch.told && HadEffect(touch, write->block, reply, element)) Tell(&touch, *write, last);
    if (last && touch.told) TellOwn(&touch, write->session);
  }
}

// All but who wrote it; that one too, if that is the last word.
void TrackedKeys::Tell(Touch* touch, const Write& write, bool last) {
  touch->told = true;
  if (touch->all) {
    TellAll(write.session, write.number);
    return;
  }
  const auto writer = clients_.find(write.session);
  const bool noloop = writer != clients_.end() && writer->second.noloop;
  const bool script = touch->row->script != ScriptRule::kNone;
  for (const std::string& key : touch->keys) {
    reads_.OnChanged(key, write.number, noloop ? write.session : 0);
    TellPrefixes(key, write.session, last ? TrackingAudience::kAll : TrackingAudience::kOthers);
    bool own = false;
    for (const uint32_t session : table_.Take(key)) {
      if (session != write.session) {
        TellKey(session, key);
      } else {
        own = true;
      }
    }
    // What a script of its own read behind its write it may have cached.
    if (own && noloop && script) table_.Add(key, write.session, [](uint32_t) { return true; });
    const bool by_prefix = !last && writer != clients_.end() && !writer->second.prefixes.empty();
    if ((own && !noloop) || by_prefix) touch->own.push_back(key);
  }
}

void TrackedKeys::TellOwn(Touch* touch, uint32_t session) {
  const auto writer = clients_.find(session);
  if (writer == clients_.end()) return;
  if (touch->all) sink_->OnAllChanged(writer->second.worker, session);
  for (const std::string& key : touch->own) {
    if (writer->second.prefixes.empty()) {
      TellKey(session, key);
    } else {
      TellPrefixes(key, session, TrackingAudience::kWriter);
    }
  }
}

void TrackedKeys::TellPrefixes(std::string_view key, uint32_t writer, TrackingAudience audience) {
  for (const auto& [prefix, workers] : prefixes_) {
    if (!key.starts_with(prefix)) continue;
    for (const auto& [worker, count] : workers) {
      sink_->OnPrefixChanged(worker, prefix, key, writer, audience);
    }
  }
}

void TrackedKeys::TellAll(uint32_t but, uint64_t before) {
  for (const auto& [session, client] : clients_) {
    if (session != but) sink_->OnAllChanged(client.worker, session);
  }
  reads_.OnAllChanged(before);
  table_.Clear();
}

void TrackedKeys::OnExecuted(const Op* op, std::string_view reply) {
  if (const auto found = writes_.find(op); found != writes_.end() && !found->second.answered) {
    Decide(&found->second, reply, /*last=*/false);
  }
}

void TrackedKeys::OnAnswer(const Op* op, std::string_view reply) {
  const auto found = writes_.find(op);
  if (found == writes_.end() || found->second.answered) return;
  found->second.answered = true;
  Decide(&found->second, reply, /*last=*/true);
}

// Who has seen it may have seen what is not there any more.
void TrackedKeys::OnUnknown(const Op* op) {
  if (const auto found = writes_.find(op); found != writes_.end()) found->second.answered = true;
  OnAllChanged();
}

void TrackedKeys::OnEnd(const Op* op) {
  const auto found = writes_.find(op);
  if (found == writes_.end()) return;
  if (!found->second.answered) OnAnswer(op, {});
  writes_.erase(op);
}

// --- what changes otherwise ---

void TrackedKeys::OnChanged(std::string_view name) {
  const std::string key(KeyOf(name));
  reads_.OnChanged(key, kAnyNumber);
  TellPrefixes(key, 0, TrackingAudience::kAll);
  for (const uint32_t session : table_.Take(key)) TellKey(session, key);
}

void TrackedKeys::OnAllChanged() {
  if (idle()) return;
  ++doubts_;
  TellAll(0, kAnyNumber);
}

void TrackedKeys::OnRoles() {
  const Copies& copies = *parts_->copies;
  const bool other = std::exchange(primary_, copies.primary()) != copies.primary();
  const CopyMask before = std::exchange(in_sync_, copies.in_sync());
  if (other || (before & ~copies.in_sync()) != 0) OnAllChanged();
}

}  // namespace gemel
