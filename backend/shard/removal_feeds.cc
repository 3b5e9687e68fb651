#include "backend/shard/removal_feeds.h"

#include <algorithm>
#include <utility>

#include "backend/link/node_identity.h"
#include "backend/shard/copies.h"
#include "backend/shard/removals.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/silent_main.h"
#include "backend/shard/tracked_keys.h"

namespace gemel {

namespace {

// What a node that is gone had sent is here by then.
constexpr uint64_t kRestMs = 10;
// A barrier costs each node a PING: no more often than that.
constexpr uint64_t kBarrierMs = 2;

}  // namespace

void RemovalFeeds::AddCopy(uint32_t copy, const LinkOptions& node) {
  if (copy >= feeds_.size()) {
    feeds_.resize(copy + 1);
    notifying_.resize(copy + 1);
  }
  notifying_[copy] = 0;
  feeds_[copy] = std::make_unique<RemovalFeed>(static_cast<RemovalFeed::Host*>(this), copy,
                                               parts_->pool, node);
}

void RemovalFeeds::StartFeed(uint32_t copy, uint64_t now_ms) {
  RemovalFeed& feed = *feeds_[copy];
  const bool alone = parts_->copies->members() == 1;
  if (!parts_->copies->IsMember(copy) || (alone && !parts_->tracked->wants_removals())) {
    if (feed.started()) feed.Stop();
  } else if (!feed.started() && parts_->copies->link(copy).up()) {
    feed.Start(now_ms, parts_->copies->link(copy).identity());
  }
  asked_ = feed.started() && !alone ? asked_ | Bit(copy) : asked_ & ~Bit(copy);
}

void RemovalFeeds::Tick(uint64_t now_ms, uint32_t random) {
  for (uint32_t i = 0; i < feeds_.size(); ++i) {
    StartFeed(i, now_ms);
    feeds_[i]->Tick(now_ms, random += 0x9e3779b9u);
  }
}

void RemovalFeeds::Stop() {
  for (const auto& feed : feeds_) feed->Stop();
  asked_ = 0;
}

void RemovalFeeds::OnMainUp(uint32_t copy) {
  const uint64_t now_ms = parts_->env->NowMs();
  RemovalFeed& feed = *feeds_[copy];
  feed.OnMainUp(parts_->copies->link(copy).identity());
  // Of the process that is gone, whose end nobody has told yet.
  if (feed.following() && ProcessOf(feed.link().identity().run_id) !=
                              ProcessOf(parts_->copies->link(copy).identity().run_id)) {
    feed.Restart(now_ms, parts_->copies->link(copy).identity());
  }
  StartFeed(copy, now_ms);
}

void RemovalFeeds::OnMainDown(uint32_t copy) {
  if (copy != parts_->copies->primary() || !feeds_[copy]->following() ||
      !parts_->copies->link(copy).end().by_node) {
    return;  // what a node that hangs has told was heard while it was waited for
  }
  const uint64_t now_ms = parts_->env->NowMs();
  if (now_ms >= rest_until_ms_) rest_until_ms_ = now_ms + kRestMs;
}

bool RemovalFeeds::Hears(uint32_t copy) {
  return !feeds_[copy]->link().has_transport() ||
         (feeds_[copy]->following() && notifying_[copy] != 0);
}

bool RemovalFeeds::IsSilent(uint32_t copy) {
  return IsMainSilent(*parts_->copies, copy, parts_->env->NowMs());
}

void RemovalFeeds::SetNotifying(uint32_t copy, uint64_t since) {
  if (std::exchange(notifying_[copy], since) == since || since == 0) return;
  feeds_[copy]->Restart(parts_->env->NowMs(), parts_->copies->link(copy).identity());
}

bool RemovalFeeds::AwaitsRest() const {
  const uint32_t primary = parts_->copies->primary();
  return feeds_[primary]->following() && !parts_->copies->link(primary).up() &&
         parts_->env->NowMs() < rest_until_ms_;
}

void RemovalFeeds::OnRemoved(uint32_t copy, std::string_view key, bool evicted) {
  parts_->removals->OnRemoved(copy, key, evicted);
}

void RemovalFeeds::OnRemovedEnd(uint32_t) { GoOn(); }

void RemovalFeeds::OnFollowing(uint32_t copy, bool missed) {
  if (missed) parts_->removals->OnMissed(copy);
  parts_->tracked->LookWhetherHeard();
}

void RemovalFeeds::OnFeedEnd(uint32_t copy) {
  barrier_.feed &= ~Bit(copy);
  parts_->removals->OnRemovedEnd();
  parts_->tracked->LookWhetherHeard();
  if (copy == parts_->copies->primary()) parts_->roles->Reconcile();
}

std::string RemovalFeeds::Note(uint32_t copy) const {
  RemovalFeed& feed = *feeds_[copy];
  if (feed.following() || parts_->copies->members() == 1) return {};
  return feed.refusal().empty() ? feed.link().last_error() : feed.refusal();
}

void RemovalFeeds::StepBarrier() {
  const Copies& copies = *parts_->copies;
  if (!barrier_.under_way) {
    const uint64_t now_ms = parts_->env->NowMs();
    const bool wanted = parts_->removals->WantsBarrier() || ended_ < wanted_;
    if (!wanted || now_ms < barrier_.next_ms) return;
    barrier_.next_ms = now_ms + kBarrierMs;
    parts_->removals->OnBarrier();
    barrier_.under_way = true;
    ++begun_;
    barrier_.given_up = false;
    barrier_.line = barrier_.feed = 0;
    barrier_.marks.assign(copies.count(), 0);
    for (uint32_t i = 0; i < copies.count(); ++i) {
      if (!copies.IsMember(i)) continue;
      barrier_.line |= Bit(i);
      barrier_.marks[i] = copies.link(i).line().last_place();
      parts_->copies->link(i).TellWhenHeard(true);
    }
  }
  // Who is out of reach may never answer. What one removes that does not count goes to its journal.
  CopyMask silent = 0;
  ForEachCopy(barrier_.line | barrier_.feed, [&](uint32_t copy) {
    if (copies.link(copy).up()) return;
    silent |= Bit(copy);
    parts_->copies->link(copy).TellWhenHeard(false);
  });
  barrier_.line &= ~silent;
  barrier_.feed &= ~silent;
  barrier_.given_up |= (silent & copies.in_sync()) != 0;
  ForEachCopy(barrier_.line, [&](uint32_t copy) {
    const bool member = copies.IsMember(copy);
    if (member && copies.link(copy).line().answered_place() < barrier_.marks[copy]) return;
    barrier_.line &= ~Bit(copy);
    parts_->copies->link(copy).TellWhenHeard(false);
    if (!member || !feeds_[copy]->following()) return;
    barrier_.feed |= Bit(copy);
    feeds_[copy]->Ping();
  });
  if ((barrier_.line | barrier_.feed) != 0) return;
  barrier_.under_way = false;
  if (barrier_.given_up) {
    parts_->removals->OnBarrierGivenUp();
    return;
  }
  ended_ = begun_;
  parts_->removals->OnBarrierEnd();
}

uint64_t RemovalFeeds::AskBarrier() {
  const uint64_t number = begun_ + 1;
  wanted_ = std::max(wanted_, number);
  StepBarrier();
  return number;
}

void RemovalFeeds::OnPong(uint32_t copy) {
  barrier_.feed &= ~Bit(copy);
  if (barrier_.under_way && (barrier_.line | barrier_.feed) == 0) GoOn();
}

void RemovalFeeds::OnMainHeard() { GoOn(); }

void RemovalFeeds::GoOn() {
  StepBarrier();
  parts_->removals->OnRemovedEnd();
}

}  // namespace gemel
