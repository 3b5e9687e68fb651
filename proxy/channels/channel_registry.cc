#include "proxy/channels/channel_registry.h"

#include <map>
#include <utility>

#include "backend/channels/channel_name.h"
#include "backend/resp/request_reader.h"
#include "proxy/dispatch/unanswered.h"

namespace gemel {

void ChannelRegistry::Give(const std::vector<std::string>& names) {
  std::vector<std::string> last;
  for (const std::string& name : names) {
    const auto found = entries_.find(name);
    if (--found->second.holders > 0) continue;
    entries_.erase(found);
    last.push_back(name);
  }
  if (last.empty()) return;
  // All, for a channel of shards may have been another's before a change of the ring.
  for (const PoolShard& shard : dispatcher_->pool().shards()) Tell(shard.slot, false, last);
}

bool ChannelRegistry::IsTold(const std::string& name) const {
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.told;
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

void ChannelRegistry::Tell(uint32_t shard, bool wanted, std::vector<std::string> names) {
  Request* request = dispatcher_->New();
  request->kind = RequestKind::kChannels;
  request->shard = static_cast<uint16_t>(shard);
  request->frame = {};
  request->Extra().cargo = Question(wanted, std::move(names));
  request->sink = Unanswered::Make(dispatcher_);
  dispatcher_->SubmitApart(request);
}

void ChannelRegistry::OnPool() {
  std::vector<std::string> of_all;
  std::map<uint32_t, std::vector<std::string>> of_one;  // by shard
  for (auto& [name, entry] : entries_) {
    entry.told = false;
    if (KindOfChannel(name) == ChannelKind::kShardChannel) {
      of_one[ShardsOf(name).front()].push_back(name);
    } else {
      of_all.push_back(name);
    }
  }
  const auto known = std::exchange(shards_, ShardNames());
  for (const PoolShard& shard : dispatcher_->pool().shards()) {
    if (!of_all.empty() && !known.contains(shard.name)) Tell(shard.slot, true, of_all);
  }
  for (auto& [shard, names] : of_one) Tell(shard, true, std::move(names));
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
