#include "proxy/worker/uv_relief.h"

#include <algorithm>
#include <utility>

#include "backend/bytes/budget.h"
#include "proxy/log/log.h"

namespace gemel {

namespace {

// Who holds less is no offender.
constexpr uint64_t kLittle = 64 * 1024;
// A large request of which in its turn less than this comes lets others go first, for so long.
constexpr uint64_t kTurnMs = 500;
constexpr size_t kLeastOfTurn = 256 * 1024;
constexpr uint64_t kSlowMs = 5000;
// Who holds much and does not get on for so long, while others wait for it, is closed.
constexpr uint64_t kPatienceMs = 3000;

// It is looked again who may go on when by so much of all more is held.
constexpr uint64_t kStepOfAll = 32;

std::string Megabytes(uint64_t bytes) {
  return bytes < 10 * 1024 * 1024 ? std::to_string(bytes / 1024) + " kB"
                                  : std::to_string(bytes / 1024 / 1024) + " MB";
}

}  // namespace

std::vector<UvRelief::Holder> UvRelief::Holders() const {
  std::vector<Holder> holders;
  for (const auto& session : *sessions_) {
    if (session->ended()) continue;
    const uint64_t bytes = session->session().Held();
    if (bytes >= kLittle) holders.push_back({bytes, session.get(), nullptr});
  }
  for (const auto& shard : *shards_) {
    for (uint32_t i = 0; i < shard->shard()->copy_count(); ++i) {
      if (!shard->shard()->copies().IsMember(i)) continue;
      for (Link* link : {shard->shard()->link(i), shard->shard()->side_link(i)}) {
        if (link->partial_bytes() >= kLittle) {
          holders.push_back({link->partial_bytes(), nullptr, link});
        }
      }
    }
  }
  std::sort(holders.begin(), holders.end(),
            [](const Holder& a, const Holder& b) { return a.bytes > b.bytes; });
  return holders;
}

bool UvRelief::WorstOfAll(uint64_t bytes) const {
  return std::all_of(all_->begin(), all_->end(), [this, bytes](const WorkerStats* stats) {
    return stats == own_ || stats->worst_holder.Get() <= bytes;
  });
}

void UvRelief::LetGo(const Holder& holder, const std::string& why) {
  if (holder.link != nullptr) {
    Log(NoteLevel::kWarn, "node " + holder.link->name() + ": a reply is not kept, which takes " +
                              Megabytes(holder.bytes) + " so far: " + why);
    own_->replies_dropped.Add(1);
    holder.link->DropPartial("the reply is too large: " + why);
    return;
  }
  Session& session = holder.session->session();
  Log(NoteLevel::kWarn, "client " + session.facts().peer + " is closed, for which " +
                            Megabytes(holder.bytes) + " are held: " + why);
  own_->memory_closed.Add(1);
  if (session.replies().Idle()) {
    session.ReplyError("ERR the request is given up: " + why);
    session.Drain();
  } else {
    holder.session->Kill();
  }
}

void UvRelief::Strike() {
  const std::vector<Holder> holders = Holders();
  // It may be more than who can be made to let go has: then the nodes are waited for.
  uint64_t excess = Budget::Held() - std::min(Budget::Held(), Budget::limit());
  for (size_t i = 0; i < holders.size(); ++i) {
    own_->worst_holder.Set(holders[i].bytes);
    // Memory that the system refused is there again, or is taken from the next.
    if (Budget::KeepReserve() && !Budget::Over()) return;
    if (!WorstOfAll(holders[i].bytes)) return;
    LetGo(holders[i], Budget::Held() > Budget::limit()
                          ? "all together hold more than the " + Megabytes(Budget::limit()) +
                                " of [limits] buffered"
                          : "the system has no more memory");
    if (holders[i].bytes >= excess) return;
    excess -= holders[i].bytes;
  }
  own_->worst_holder.Set(0);
  Budget::KeepReserve();
}

void UvRelief::Tick(uint64_t now_ms) {
  if (!Budget::Tight() && !Budget::Over()) {
    if (tight_) AdmitAll();
    tight_ = false;
    return;
  }
  tight_ = true;
  AdmitOne(now_ms);
  const std::vector<Holder> holders = Holders();
  own_->worst_holder.Set(holders.empty() ? 0 : holders[0].bytes);
  for (const Holder& holder : holders) {
    if (holder.session == nullptr || holder.session->session().waiting() ||
        now_ms < holder.session->session().facts().moved_ms() + kPatienceMs) {
      continue;
    }
    LetGo(holder, "it has not moved for " + std::to_string(kPatienceMs) +
                      " ms while all together hold more than half of the " +
                      Megabytes(Budget::limit()) + " of [limits] buffered");
    break;  // the next one in the next tick, if that is still so
  }
  if (Budget::Over()) Strike();
}

// Between the ticks much may come.
void UvRelief::Act(uint64_t now_ms) {
  tight_ = true;
  if (Budget::Held() > looked_at_ + Budget::limit() / kStepOfAll) AdmitOne(now_ms);
  if (Budget::Over()) Strike();
}

// A large request of which nothing more comes waits for its client, not for us.
bool UvRelief::MayGoOn(UvSession* candidate, uint64_t now_ms) {
  const size_t missing = candidate->ended() ? 0 : candidate->session().MissingInput();
  if (missing == 0) return false;
  bool moves = false;
  if (candidate == admitted_) {
    if (now_ms >= admitted_ms_ + kTurnMs && missing + kLeastOfTurn > admitted_missing_) {
      candidate->slow_until_ms = now_ms + kSlowMs;
    }
    moves = missing < std::exchange(last_missing_, missing);
  }
  return now_ms >= candidate->slow_until_ms && (moves || candidate->HasInput());
}

// In turns the one that has the least to come, and the one that has waited for the longest, if
// there is room for it: short ones that come again and again must not keep it waiting.
const UvSession* UvRelief::Choose() const {
  const uint64_t room = Budget::limit() - std::min(Budget::limit(), Budget::Held());
  const auto least = [](const UvSession* a, const UvSession* b) {
    return a->session().MissingInput() < b->session().MissingInput();
  };
  const auto longest = [](const UvSession* a, const UvSession* b) {
    return a->session().facts().moved_ms() < b->session().facts().moved_ms();
  };
  if (large_.empty()) return nullptr;
  if (by_age_) {
    const UvSession* oldest = *std::min_element(large_.begin(), large_.end(), longest);
    if (oldest->session().MissingInput() < room) return oldest;
  }
  return *std::min_element(large_.begin(), large_.end(), least);
}

// Of the large requests that are on their way in, one goes on, and the others wait: else none of
// them might find room. One that hardly gets on in its turn lets the others go first for a while;
// nothing much comes from it, so that it need not be told to wait.
void UvRelief::AdmitOne(uint64_t now_ms) {
  looked_at_ = Budget::Held();
  large_.clear();
  for (const auto& candidate : *sessions_) {
    if (MayGoOn(candidate.get(), now_ms)) {
      large_.push_back(candidate.get());
    } else if (!candidate->ended()) {
      candidate->session().Wait(false);
    }
  }
  if (now_ms >= admitted_ms_ + kTurnMs ||
      std::find(large_.begin(), large_.end(), admitted_) == large_.end()) {
    by_age_ = !by_age_;
    admitted_ = Choose();
    admitted_ms_ = now_ms;
    admitted_missing_ = last_missing_ =
        admitted_ != nullptr ? admitted_->session().MissingInput() : 0;
  }
  for (UvSession* candidate : large_) candidate->session().Wait(candidate != admitted_);
}

void UvRelief::AdmitAll() {
  looked_at_ = 0;
  admitted_ = nullptr;
  own_->worst_holder.Set(0);
  for (const auto& session : *sessions_) {
    if (!session->ended()) session->session().Wait(false);
  }
}

}  // namespace gemel
