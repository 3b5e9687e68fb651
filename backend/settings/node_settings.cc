#include "backend/settings/node_settings.h"

#include <algorithm>
#include <string_view>

#include "backend/link/node_identity.h"
#include "backend/resync/replication_info.h"
#include "backend/settings/event_flags.h"
#include "backend/settings/option_text.h"
#include "backend/shard/server_claims.h"

namespace gemel {

namespace {

constexpr uint64_t kReadIntervalMs = 100;
constexpr uint64_t kReadMs = 1000;
constexpr uint64_t kReadAgainMs = 200;
constexpr char kMaxmemory[] = "maxmemory";
constexpr char kPolicy[] = "maxmemory-policy";
constexpr char kEvents[] = "notify-keyspace-events";
constexpr char kNoEviction[] = "noeviction";
// Redis 7 keeps 25 kB about each different command that it is asked; gemel asks some 20 more.
constexpr char kLatency[] = "latency-tracking";
constexpr uint64_t kShortOfMemory = uint64_t{256} << 20;

bool SameText(std::string_view a, std::string_view b) { return a == b; }

// The value of an option in the reply to CONFIG GET. False if it is not there.
bool OptionOf(std::string_view text, std::string_view name, std::string* value) {
  bool found = false;
  ForEachOption(text, [&](std::string_view each, std::string_view its) {
    if (found || each != name) return;
    found = true;
    *value = its;
  });
  return found;
}

const NodeSetting* Find(const std::vector<NodeSetting>& settings, std::string_view name) {
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [&](const NodeSetting& setting) { return setting.name == name; });
  return found == settings.end() ? nullptr : &*found;
}

// CONFIG GET does so since 7.0. `version`: as in NodeIdentity.
bool TakesSeveralNames(std::string_view version) {
  const size_t space = version.find(' ');
  const std::string_view program = version.substr(0, space);
  if (space == std::string_view::npos || (program != "Redis" && program != "Valkey")) return false;
  const std::string_view number = version.substr(space + 1);
  return InfoNumber(number.substr(0, number.find('.'))) >= 7;
}

uint64_t Bytes(const std::string& text) {
  return static_cast<uint64_t>(std::max<int64_t>(0, InfoNumber(text)));
}

}  // namespace

NodeSettings::Seen::Seen()
    : limit(kMaxmemory, SameText), flags(kEvents, SameEvents), latency(kLatency, SameText) {}

NodeSettings::NodeSettings(SettingsPort shard, ControlPort* port, ShardEnv* env,
                           const RemovalsConfig& config)
    : shard_(shard), port_(port), env_(env), config_(config), seen_(kMaxCopies) {
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    seen_[i].kept = shard_.info().copies[i].settings;
  }
}

void NodeSettings::ForgetCopy(uint32_t copy) {
  const uint64_t round = seen_[copy].round;
  seen_[copy] = Seen();
  seen_[copy].round = round + 1;
}

void NodeSettings::Tick(uint64_t now_ms) {
  // Another primary is not to have the room of a follower for long, nor is a client to wait.
  const bool wanted = shard_.wants_removals();
  if (now_ms < next_ms_ && shard_.info().primary == primary_ && wanted == wanted_) return;
  wanted_ = wanted;
  next_ms_ = now_ms + kReadIntervalMs;
  primary_ = shard_.info().primary;
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    seen_[i].up = shard_.IsMember(i) && shard_.IsConnected(i);
    if (shard_.IsMember(i)) seen_[i].kept = shard_.info().copies[i].settings;
  }
  Plan();
  // A copy that is to evict by use has to know how its keys are used elsewhere.
  CopyMask told = 0;
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    if (config_.follow && shard_.member_count() > 1 && EvictsByUse(i)) told |= Bit(i);
  }
  shard_.set_told_of_reads(told);
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    const Seen& seen = seen_[i];
    if (!seen.up || seen.waiting > 0) continue;
    // What failed is asked for again in its time.
    const bool anew = seen.connection != shard_.ConnectionOf(i) && !seen.failed;
    if (anew || now_ms >= seen.next_ms) {
      Read(i);
    } else if (seen.connection == shard_.ConnectionOf(i) && !seen.failed) {
      Work(i);
    }
  }
}

// --- reading ---

// Nothing of an earlier round is heard.
ControlDone NodeSettings::Answer(uint32_t copy,
                                 void (NodeSettings::*then)(uint32_t, const ControlReply&)) {
  return alive_.Guard([this, copy, then, round = seen_[copy].round,
                       connection = shard_.ConnectionOf(copy)](const ControlReply& reply) {
    Seen& seen = seen_[copy];
    if (seen.round != round) return;
    if (!reply.ok && (!reply.refused || PassesByItself(reply))) {
      seen.failed = true;
    } else {
      (this->*then)(copy, reply);
    }
    if (--seen.waiting == 0) OnRead(copy, connection);
  });
}

void NodeSettings::Read(uint32_t copy) {
  Seen& seen = seen_[copy];
  ++seen.round;
  seen.failed = false;
  seen.maxmemory.clear();
  seen.events.reset();
  seen.latency_tracking.clear();
  seen.unreadable.clear();
  if (TakesSeveralNames(shard_.IdentityOf(copy).version)) {
    seen.waiting = 1;
    port_->Command(copy, {"CONFIG", "GET", kMaxmemory, kPolicy, kEvents, kLatency},
                   Answer(copy, &NodeSettings::OnOptions));
    return;
  }
  seen.waiting = 2;
  port_->Command(copy, {"CONFIG", "GET", "maxmemory*"}, Answer(copy, &NodeSettings::OnOptions));
  port_->Command(copy, {"CONFIG", "GET", kEvents}, Answer(copy, &NodeSettings::OnOptions));
}

void NodeSettings::OnOptions(uint32_t copy, const ControlReply& reply) {
  Seen& seen = seen_[copy];
  if (reply.ok) {
    OptionOf(reply.text, kMaxmemory, &seen.maxmemory);
    OptionOf(reply.text, kPolicy, &seen.policy);
    std::string flags;
    if (OptionOf(reply.text, kEvents, &flags)) seen.events = CanonicalEvents(flags);
    OptionOf(reply.text, kLatency, &seen.latency_tracking);
    return;
  }
  // INFO tells some of it as well.
  if (!seen.unreadable.empty()) return;
  seen.unreadable = reply.error;
  ++seen.waiting;
  port_->Command(copy, {"INFO", "memory"}, Answer(copy, &NodeSettings::OnMemoryInfo));
}

void NodeSettings::OnMemoryInfo(uint32_t copy, const ControlReply& reply) {
  seen_[copy].maxmemory = InfoField(reply.text, kMaxmemory);
  seen_[copy].policy = InfoField(reply.text, "maxmemory_policy");
}

// `now`: as the node says it; what it does not tell is not known.
void NodeSettings::Take(uint32_t copy, SeenSetting* setting, const std::string& now) {
  const std::string before = setting->own();
  if (!setting->Take(now, Find(seen_[copy].kept, setting->name()))) return;
  Note(NoteLevel::kInfo, copy,
       "has a " + setting->name() + " of its own of '" + setting->own() + "' now, no more '" +
           before + "'");
}

void NodeSettings::OnRead(uint32_t copy, uint64_t connection) {
  Seen& seen = seen_[copy];
  seen.next_ms = env_->NowMs() + kReadMs;
  if (seen.failed || !shard_.IsMember(copy)) return;
  seen.kept = shard_.info().copies[copy].settings;
  if (InfoNumber(seen.maxmemory) >= 0) {
    Take(copy, &seen.limit, seen.maxmemory);
  } else {
    seen.limit.Forget();
  }
  if (seen.events) {
    Take(copy, &seen.flags, *seen.events);
  } else {
    seen.flags.Forget();
  }
  if (!seen.latency_tracking.empty()) {
    Take(copy, &seen.latency, seen.latency_tracking);
  } else {
    seen.latency.Forget();
  }
  Count(copy);
  if (seen.read_before && seen.counted != seen.read_before)
    seen.next_ms = env_->NowMs() + kReadAgainMs;
  const bool notifies = seen.flags.known() && TellsRemovals(seen.flags.now());
  if (!notifies) {
    seen.notifying = 0;
  } else if (seen.notifying == 0 || seen.connection != connection) {
    seen.notifying = ++notifying_;
  }
  seen.connection = connection;
  Plan();
  Work(copy);
}

// What it has while it is in sync counts, but a limit where there was none, or less of one, only
// once it was read again a while later: it may be a moment's mistake, for which the copy leaves,
// and the primary must not refuse writes for it.
void NodeSettings::Count(uint32_t copy) {
  Seen& seen = seen_[copy];
  if (!seen.limit.known()) return;
  const uint64_t own = Bytes(seen.limit.own());
  const bool in_sync = shard_.info().copies[copy].state == CopyState::kInSync;
  const uint64_t before = seen.counted.value_or(0);
  const bool its_own = !seen.counted && copy == shard_.info().primary;
  const bool less = own != 0 && (before == 0 || own < before) && !its_own;
  const uint64_t now_ms = env_->NowMs();
  if (seen.read_before != own) seen.read_since_ms = now_ms;
  const bool again = seen.read_before == own && now_ms >= seen.read_since_ms + kReadAgainMs;
  seen.read_before = in_sync ? std::optional<uint64_t>(own) : std::nullopt;
  if (less ? in_sync && again : in_sync || seen.counted.has_value()) seen.counted = own;
}

bool NodeSettings::working() const {
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    if (!shard_.IsMember(i) || !shard_.IsConnected(i)) continue;
    const Seen& seen = seen_[i];
    const bool first = seen.connection != shard_.ConnectionOf(i) && !seen.failed;
    const bool to_set = seen.latency.MustSet() && seen.latency.MaySet(env_->NowMs());
    if (first || to_set) return true;
  }
  return false;
}

bool NodeSettings::IsKnown(uint32_t copy) const {
  return shard_.IsMember(copy) && shard_.IsConnected(copy) && seen_[copy].limit.known() &&
         seen_[copy].connection == shard_.ConnectionOf(copy);
}

bool NodeSettings::Sets(std::string_view name) const {
  return name == kMaxmemory || name == kEvents || name == kLatency;
}

const std::string* NodeSettings::OwnOf(uint32_t copy, std::string_view name) const {
  if (!IsKnown(copy)) return nullptr;
  for (const SeenSetting* setting :
       {&seen_[copy].limit, &seen_[copy].flags, &seen_[copy].latency}) {
    if (setting->name() == name && setting->known()) return &setting->own();
  }
  return nullptr;
}

uint64_t NodeSettings::NotifyingSince(uint32_t copy) const {
  const Seen& seen = seen_[copy];
  if (seen.notifying == 0 || !shard_.IsMember(copy) || !shard_.IsConnected(copy)) return 0;
  return seen.connection == shard_.ConnectionOf(copy) ? seen.notifying : 0;
}

bool NodeSettings::EvictsByUse(uint32_t copy) const {
  const Seen& seen = seen_[copy];
  return IsKnown(copy) && Bytes(seen.limit.now()) > 0 &&
         (seen.policy.ends_with("lru") || seen.policy.ends_with("lfu"));
}

// --- what should be there ---

bool NodeSettings::RefusesWhenFull(uint32_t copy) const {
  const Seen& seen = seen_[copy];
  const bool by_gemel = Bytes(seen.limit.own()) == 0;
  return IsKnown(copy) && seen.policy == kNoEviction && Bytes(seen.limit.now()) > 0 &&
         (by_gemel || seen.counted.value_or(0) > 0);
}

// Where the primary would refuse writes for another copy's limit it is what that had in sync: with
// what was set since, or with all that is heard of it for the first time, it has to come back
// first.
MemoryView NodeSettings::View() const {
  MemoryView view;
  view.count = shard_.copy_count();
  view.primary = shard_.info().primary;
  const bool refuses = seen_[view.primary].policy == kNoEviction;
  for (uint32_t i = 0; i < view.count; ++i) {
    const Seen& seen = seen_[i];
    const uint64_t own = Bytes(seen.limit.own());
    const bool counts = !refuses || i == view.primary || seen.counted.has_value();
    view.copies[i] = {shard_.IsMember(i) && !shard_.info().copies[i].drained(),
                      seen.limit.known() && counts,
                      own,
                      refuses ? seen.counted.value_or(i == view.primary ? own : 0) : own,
                      Bytes(seen.limit.now()),
                      seen.policy != kNoEviction};
  }
  return view;
}

// The memory of a server that other shards use as well is not this one's to limit.
bool NodeSettings::IsShared() const {
  ServerClaims* claims = env_->claims();
  if (claims == nullptr) return false;
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    if (!shard_.IsMember(i)) continue;
    if (claims->IsShared(ProcessOf(shard_.IdentityOf(i).run_id))) return true;
  }
  return false;
}

// A copy that has nobody to be equal to, and one that leaves, are as they were.
void NodeSettings::Plan() {
  plan_ = PlanLimits(View());
  shared_ = IsShared();
  const bool alone = shard_.member_count() < 2;
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    Seen& seen = seen_[i];
    const bool left_alone =
        alone || shard_.info().copies[i].drained_by == DrainedBy::kConfig || !seen.limit.known();
    if (!config_.set_limits || shared_ || left_alone) {
      seen.limit.set_want(seen.limit.own());
    } else if (plan_.made) {
      seen.limit.set_want(std::to_string(plan_.limits[i]));
    } else {
      seen.limit.set_want(std::nullopt);
    }
    const bool tells = config_.follow && (!alone || shard_.wants_removals()) &&
                       shard_.info().copies[i].drained_by != DrainedBy::kConfig;
    const std::string& own = seen.flags.own();
    seen.flags.set_want(tells && !TellsRemovals(own) ? WithRemovals(own) : own);
    const uint64_t limit = Bytes(seen.limit.now());
    const bool spare = config_.set_limits && !left_alone && limit > 0 && limit < kShortOfMemory;
    seen.latency.set_want(spare ? "no" : seen.latency.own());
  }
  CopyMask full = 0;
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    if (RefusesWhenFull(i)) full |= Bit(i);
  }
  shard_.set_refuses_when_full(full);
}

std::vector<NodeSetting> NodeSettings::ToKeep(const Seen& seen) const {
  std::vector<NodeSetting> settings;
  for (const SeenSetting* setting : {&seen.limit, &seen.flags, &seen.latency}) {
    const NodeSetting* kept = Find(seen.kept, setting->name());
    // What may not be set yet is kept when it may.
    const bool later = setting->MustSet() && !setting->MaySet(env_->NowMs());
    if (later && kept != nullptr) settings.push_back(*kept);
    if (later) continue;
    std::optional<NodeSetting> next = setting->ToKeep(kept);
    if (next) settings.push_back(*std::move(next));
  }
  return settings;
}

// The next thing to be done, if there is one. A node that does not let itself be looked at is not
// changed.
void NodeSettings::Work(uint32_t copy) {
  Seen& seen = seen_[copy];
  if (std::string problem = Problem(copy); problem != seen.said) {
    if (!problem.empty()) Note(NoteLevel::kWarn, copy, problem);
    seen.said = std::move(problem);
  }
  if (!seen.unreadable.empty()) return;
  if (std::vector<NodeSetting> keep = ToKeep(seen); keep != seen.kept) {
    Keep(copy, std::move(keep));
    return;
  }
  for (SeenSetting Seen::*setting : {&Seen::latency, &Seen::limit, &Seen::flags}) {
    if ((seen.*setting).MustSet() && (seen.*setting).MaySet(env_->NowMs())) {
      Set(copy, setting);
      return;
    }
  }
}

void NodeSettings::Keep(uint32_t copy, std::vector<NodeSetting> settings) {
  Seen& seen = seen_[copy];
  ++seen.waiting;
  const std::string& node = shard_.info().copies[copy].node;
  Edit edit{EditKind::kKeepSettings, shard_.name(), node, {}, "what gemel changes on it"};
  edit.settings = settings;
  const auto done = [this, copy, node, round = seen.round,
                     settings = std::move(settings)](const EditResult& result) {
    // What is durable is so of the node, wherever it is now.
    const int at = shard_.info().IndexOf(node);
    if (result.ok && at >= 0) {
      shard_.set_settings(static_cast<uint32_t>(at), settings);
      seen_[static_cast<uint32_t>(at)].kept = settings;
    }
    Seen& asked = seen_[copy];
    if (asked.round != round) return;
    --asked.waiting;
    if (result.ok) {
      Work(copy);
      return;
    }
    // Nothing is changed on it that could not be taken back.
    asked.failed = true;
    asked.next_ms = env_->NowMs() + kReadMs;
  };
  env_->Propose(std::move(edit), alive_.Guard(done));
}

void NodeSettings::Set(uint32_t copy, SeenSetting Seen::*setting) {
  Seen& seen = seen_[copy];
  ++seen.waiting;
  const SeenSetting& what = seen.*setting;
  port_->Command(copy, {"CONFIG", "SET", what.name(), *what.want()},
                 alive_.Guard([this, copy, setting, value = *what.want(),
                               round = seen.round](const ControlReply& reply) {
                   if (seen_[copy].round == round) OnSet(copy, setting, value, reply);
                 }));
}

void NodeSettings::OnSet(uint32_t copy, SeenSetting Seen::*setting, const std::string& value,
                         const ControlReply& reply) {
  Seen& seen = seen_[copy];
  SeenSetting& what = seen.*setting;
  --seen.waiting;
  if (reply.ok) {
    what.OnSet({}, env_->NowMs());
    Note(NoteLevel::kInfo, copy, "has " + what.name() + " '" + value + "' now" + Why(copy, what));
  } else if (reply.refused && !PassesByItself(reply)) {
    what.OnSet(reply.error, env_->NowMs());
  } else {
    // It may have been set all the same.
    seen.next_ms = env_->NowMs() + kReadMs;
    seen.failed = true;
    return;
  }
  if (seen.up) Read(copy);
}

std::vector<NodeSettings::Command> NodeSettings::TakeBack(uint32_t copy) {
  Seen& seen = seen_[copy];
  std::vector<Command> commands;
  for (const SeenSetting* setting : {&seen.limit, &seen.flags, &seen.latency}) {
    const NodeSetting* kept = Find(seen.kept, setting->name());
    if (kept == nullptr || (setting->known() && setting->now() == setting->own())) continue;
    const std::string& own = setting->known() ? setting->own() : kept->own;
    commands.push_back({"CONFIG", "SET", kept->name, own});
    if (seen.up) {
      Note(NoteLevel::kInfo, copy, "gets back its own " + kept->name + ", '" + own + "'");
    } else {
      Note(NoteLevel::kWarn, copy,
           "is away while it leaves: unless it restarts its " + kept->name + " stays '" +
               kept->set + "', which gemel set; its own was '" + own + "'");
    }
  }
  return commands;
}

}  // namespace gemel
