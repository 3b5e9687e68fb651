#include "proxy/channels/channel_registry.h"

#include <utility>

#include "backend/bytes/budget.h"
#include "backend/channels/channel_name.h"
#include "backend/channels/keyspace_name.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

// What is kept of a name here, counted (Budget).
constexpr std::string_view kAway = "-CLUSTERDOWN";

size_t CostOfEntry(const std::string& name) { return 2 * name.size() + 256; }

// The sink of several requests of SubmitApart. Owns itself; gone with the last answer.
class AllAnswered : public RequestSink {
 public:
  // Of so many. on_away(slot): nobody who has that shard could be asked.
  AllAnswered(Dispatcher* dispatcher, size_t left, std::function<void()> done,
              std::function<void(uint32_t)> on_away)
      : dispatcher_(dispatcher),
        left_(left),
        done_(std::move(done)),
        on_away_(std::move(on_away)) {}

 private:
  void OnReply(Request* request, const Reply& reply) override {
    if (reply.bytes.starts_with(kAway)) on_away_(request->shard);
    dispatcher_->Free(request);
    if (--left_ > 0) return;
    done_();
    delete this;
  }

  Dispatcher* dispatcher_;
  size_t left_;
  std::function<void()> done_;
  std::function<void(uint32_t)> on_away_;
};

}  // namespace

ChannelRegistry::~ChannelRegistry() {
  for (const auto& [name, entry] : entries_) Budget::Give(CostOfEntry(name));
}

void ChannelRegistry::Take(const std::string& name) {
  const auto [entry, is_new] = entries_.try_emplace(name);
  if (is_new) {
    Budget::Take(CostOfEntry(name));
    untold_.insert(name);
    if (MayBeAboutKeys(name) && ++of_keys_ == 1 && !change_told_) {
      counts_->under_way().BeginChange(dispatcher_->worker(), true);
    }
  }
  ++entry->second.holders;
}

void ChannelRegistry::Give(const std::vector<std::string>& names) {
  std::vector<std::string> last;
  for (const std::string& name : names) {
    const auto found = entries_.find(name);
    if (--found->second.holders > 0) continue;
    Budget::Give(CostOfEntry(name));
    untold_.erase(name);
    entries_.erase(found);
    if (MayBeAboutKeys(name)) --of_keys_;
    last.push_back(name);
  }
  if (last.empty()) return;
  // All, for a channel of shards may have been another's before a change of the ring.
  for (const PoolShard& shard : dispatcher_->pool().shards()) {
    Tell(shard.slot, Question(false, last), dispatcher_->unanswered());
  }
}

bool ChannelRegistry::IsTold(const std::string& name) const {
  return !untold_.contains(name) && entries_.contains(name);
}

void ChannelRegistry::SetTold(const std::string& name) { untold_.erase(name); }

void ChannelRegistry::BeginAsking(const std::string& name) {
  counts_->under_way().Begin(dispatcher_->worker(), name);
}

void ChannelRegistry::EndAsking(const std::string& name) {
  counts_->under_way().End(dispatcher_->worker(), name);
}

std::unique_ptr<ChannelsCargo> ChannelRegistry::Question(bool wanted,
                                                         std::vector<std::string> names) const {
  auto cargo = std::make_unique<ChannelsCargo>();
  cargo->worker = dispatcher_->worker();
  cargo->wanted = wanted;
  cargo->names = std::move(names);
  return cargo;
}

std::vector<uint32_t> ChannelRegistry::ShardsOf(const std::string& name) const {
  const Pool& pool = dispatcher_->pool();
  if (KindOfChannel(name) == ChannelKind::kShardChannel) {
    return {pool.ShardOf(TextOfChannel(name))};
  }
  std::vector<uint32_t> slots;
  for (const PoolShard& shard : pool.shards()) slots.push_back(shard.slot);
  return slots;
}

void ChannelRegistry::Enter(const std::string& name, Subscriber* subscriber, size_t* place) {
  std::vector<Member>& members = entries_.at(name).members;
  *place = members.size();
  members.push_back({subscriber, place});
  try {
    counts_->Add(name);
  } catch (...) {
    members.pop_back();
    throw;
  }
}

void ChannelRegistry::Leave(const std::string& name, size_t place) {
  std::vector<Member>& members = entries_.at(name).members;
  *members.back().place = place;
  members[place] = members.back();
  members.pop_back();
  counts_->Remove(name);
}

std::set<std::string, std::less<>> ChannelRegistry::ShardNames() const {
  std::set<std::string, std::less<>> names;
  for (const PoolShard& shard : dispatcher_->pool().shards()) names.insert(shard.name);
  return names;
}

void ChannelRegistry::Tell(uint32_t shard, std::unique_ptr<ChannelsCargo> question,
                           RequestSink* sink) {
  Request* request = dispatcher_->New();
  request->kind = RequestKind::kChannels;
  request->shard = static_cast<uint16_t>(shard);
  request->frame = {};
  request->Extra().cargo = std::move(question);
  request->sink = sink;
  dispatcher_->SubmitApart(request);
}

void ChannelRegistry::Ask(Questions questions, std::function<void()> done) {
  if (questions.empty()) {
    done();
    return;
  }
  auto* sink = new AllAnswered(dispatcher_, questions.size(), std::move(done),
                               [this](uint32_t slot) { again_.insert(slot); });
  for (auto& [shard, names] : questions) Tell(shard, Question(true, std::move(names)), sink);
}

// What each shard was asked for reached it before what it is asked now.
void ChannelRegistry::WhenTold(const Published& published, std::optional<uint32_t> shard,
                               std::function<void()> done) {
  if (changing_) {
    late_.push_back({published, shard, std::move(done)});
    return;
  }
  Questions questions;
  for (const std::string& name : untold_) {
    if (!published.IsFor(name)) continue;
    for (const uint32_t of : ShardsOf(name)) {
      if (!shard || *shard == of) questions[of].push_back(name);
    }
  }
  Ask(std::move(questions), std::move(done));
}

bool ChannelRegistry::Take(Request* request) {
  const auto* cargo = dynamic_cast<const WhenToldCargo*>(request->extra->cargo.get());
  if (cargo == nullptr) return false;
  asked_.push_back(request);
  return true;
}

bool ChannelRegistry::AfterReading() {
  for (Request* request : std::exchange(ripe_, std::exchange(asked_, {}))) {
    const auto& cargo = static_cast<const WhenToldCargo&>(*request->extra->cargo);
    WhenTold(cargo.published, cargo.shard, [request] {
      request->sink->OnReply(request, Reply{{}, nullptr});
    });
  }
  return !ripe_.empty() || !asked_.empty();
}

void ChannelRegistry::BeginChange() {
  changing_ = true;
  change_told_ = false;
  counts_->under_way().BeginChange(dispatcher_->worker(), of_keys_ > 0);
}

void ChannelRegistry::OnPool() {
  changing_ = false;
  Questions questions;
  std::vector<std::string> of_all;
  std::vector<std::string> asked;
  for (const auto& [name, entry] : entries_) {
    asked.push_back(name);
    if (KindOfChannel(name) == ChannelKind::kShardChannel) {
      questions[ShardsOf(name).front()].push_back(name);
    } else {
      of_all.push_back(name);
    }
  }
  const auto known = std::exchange(shards_, ShardNames());
  for (const PoolShard& shard : dispatcher_->pool().shards()) {
    if (of_all.empty() || known.contains(shard.name)) continue;
    std::vector<std::string>& names = questions[shard.slot];
    names.insert(names.end(), of_all.begin(), of_all.end());
  }
  BeginAnew(asked);
  Ask(std::move(questions), [this] { EndAnew(); });
  for (Late& late : std::exchange(late_, {})) {
    WhenTold(late.published, late.shard, std::move(late.done));
  }
}

void ChannelRegistry::BeginAnew(const std::vector<std::string>& names) {
  ++changes_;
  change_told_ = false;
  anew_.insert(names.begin(), names.end());
  untold_.insert(names.begin(), names.end());
}

// Who has asked meanwhile waits for itself.
void ChannelRegistry::EndAnew() {
  if (--changes_ > 0 || changing_) return;
  for (const std::string& name : std::exchange(anew_, {})) SetTold(name);
  change_told_ = true;
  counts_->under_way().EndChange(dispatcher_->worker());
}

void ChannelRegistry::OnShardAnew(uint32_t slot) {
  again_.erase(slot);
  const Pool& pool = dispatcher_->pool();
  if (entries_.empty() || slot >= pool.slot_count() || pool.SlotFrom(slot) != slot) return;
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (KindOfChannel(name) != ChannelKind::kShardChannel || ShardsOf(name).front() == slot) {
      names.push_back(name);
    }
  }
  if (names.empty()) return;
  counts_->under_way().BeginChange(dispatcher_->worker(), of_keys_ > 0);
  std::vector<std::string> told;  // the others wait for who asks for them now
  for (const std::string& name : names) {
    if (!untold_.contains(name)) told.push_back(name);
  }
  BeginAnew(told);
  Ask({{slot, std::move(names)}}, [this] { EndAnew(); });
}

void ChannelRegistry::Retry() {
  for (const uint32_t slot : std::exchange(again_, {})) OnShardAnew(slot);
}

void ChannelRegistry::Deliver(std::string_view messages) {
  size_t used = 0;
  std::vector<std::string_view> args;
  while (used < messages.size()) {
    args.clear();
    const size_t size = SplitNext(messages.substr(used), &args);
    const std::string_view whole = messages.substr(used, size);
    used += size;
    const auto found = entries_.find(ChannelOfMessage(whole));
    if (found == entries_.end()) continue;
    ChannelMessage message(whole, pool_);
    for (const Member& member : found->second.members) member.subscriber->OnMessage(&message);
  }
}

}  // namespace gemel
