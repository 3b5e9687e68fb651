#include "proxy/worker/uv_relief.h"

#include <algorithm>
#include <utility>

#include "backend/bytes/budget.h"
#include "proxy/log/log.h"

namespace gemel {

namespace {

// Who holds less is no offender.
constexpr uint64_t kLittle = 64 * 1024;
// A large request that was let in lets others go first, for so long, if in such a time, and in so
// many looks at it (a busy machine turns slowly), less of it comes than this and than this part of
// what is missing.
constexpr uint64_t kTurnMs = 500;
constexpr uint32_t kTurnLooks = 8;
constexpr size_t kLeastOfTurn = 256 * 1024;
constexpr size_t kLeastPartOfTurn = 20;
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
        if (link->reader().partial_bytes() >= kLittle) {
          holders.push_back({link->reader().partial_bytes(), nullptr, link});
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
    holder.link->reader().DropPartial("the reply is too large: " + why);
    return;
  }
  Session& session = holder.session->session();
  Log(NoteLevel::kWarn, "client " + session.facts().peer + " is closed, for which " +
                            Megabytes(holder.bytes) + " are held: " + why);
  own_->memory_closed.Add(1);
  if (session.replies().Idle()) {
    session.commands().TellError("ERR the request is given up: " + why);
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
  Admit(now_ms);
  const std::vector<Holder> holders = Holders();
  own_->worst_holder.Set(holders.empty() ? 0 : holders[0].bytes);
  for (const Holder& holder : holders) {
    if (holder.session == nullptr) continue;
    // Who has sent more waits for us.
    Session& session = holder.session->session();
    if (now_ms < session.facts().moved_ms() + kPatienceMs ||
        (session.pace().waiting() && holder.session->HasInput())) {
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
  if (Budget::Held() > looked_at_ + Budget::limit() / kStepOfAll) Admit(now_ms);
  if (Budget::Over()) Strike();
}

// False if the large request of this session is to wait.
bool UvRelief::GoesOn(UvSession* session, uint64_t now_ms) {
  InputTurn& turn = session->turn;
  if (!turn.admitted) return false;
  ++turn.looks;
  if (now_ms < turn.since_ms + kTurnMs || turn.looks < kTurnLooks) return true;
  const size_t missing = session->session().MissingInput();
  const size_t least = std::max(kLeastOfTurn, turn.missing / kLeastPartOfTurn);
  const bool slow = missing + least > turn.missing;
  const uint64_t since_ms = turn.slow_since_ms > 0 ? turn.slow_since_ms : now_ms;
  turn = {.admitted = !slow,
          .since_ms = now_ms,
          .missing = missing,
          .slow_until_ms = slow ? now_ms + kSlowMs : 0,
          .slow_since_ms = slow ? since_ms : 0};
  return !slow;
}

// In turns the one that has the least to come, and the one that has waited for the longest: short
// ones that come again and again must not keep it waiting. Null if there is no room for it.
UvSession* UvRelief::Choose(uint64_t now_ms, size_t room) const {
  const auto first = [this, now_ms](UvSession* a, UvSession* b) {
    const bool a_slow = now_ms < a->turn.slow_until_ms;
    const bool b_slow = now_ms < b->turn.slow_until_ms;
    if (a_slow != b_slow) return b_slow;
    return by_age_ ? a->session().facts().moved_ms() < b->session().facts().moved_ms()
                   : a->session().MissingInput() < b->session().MissingInput();
  };
  UvSession* chosen = *std::min_element(waiting_.begin(), waiting_.end(), first);
  return chosen->session().MissingInput() <= room ? chosen : nullptr;
}

// A large request goes on only if what is missing of it, and of those that went on before, finds
// room: so each that was begun can be finished, in some order, whatever holds the rest. If there is
// room for none, what is on its way to nodes and clients is waited for, and who was let in goes on
// for a while longer, slow as it is. If that would not make room, the first goes on all the same:
// what it is over, others have to let go of.
void UvRelief::Admit(uint64_t now_ms) {
  looked_at_ = Budget::Held();
  // Each worker has its part of it.
  size_t room = (Budget::limit() - std::min(Budget::limit(), looked_at_)) / all_->size();
  bool any = false;
  uint64_t begun = 0;         // held of requests that have not come whole
  UvSession* slow = nullptr;  // of those that have to let others go first now
  waiting_.clear();
  for (const auto& session : *sessions_) {
    const size_t missing = session->ended() ? 0 : session->session().MissingInput();
    if (missing == 0) {
      session->turn.admitted = false;
      session->turn.slow_since_ms = 0;
    }
    const bool admitted = session->turn.admitted;
    if (missing > 0) begun += session->session().Held();
    if (missing > 0 && GoesOn(session.get(), now_ms)) {
      any = true;
      room -= std::min(room, missing);
    } else if (missing > 0) {
      if (admitted && now_ms < session->turn.slow_since_ms + kPatienceMs) slow = session.get();
      if (session->HasInput()) waiting_.push_back(session.get());
    }
    if (!session->ended()) session->session().Wait(missing > 0 && !session->turn.admitted);
  }
  while (!waiting_.empty()) {
    UvSession* next = Choose(now_ms, room);
    if (next == nullptr && any) break;
    if (next == nullptr && slow != nullptr) next = slow;
    if (next == nullptr) {
      next = Choose(now_ms, ~size_t{0});
      if (next->session().MissingInput() + begun <= Budget::limit() / all_->size()) break;
    }
    const size_t missing = next->session().MissingInput();
    room -= std::min(room, missing);
    any = true;
    by_age_ = !by_age_;
    next->turn.admitted = true;
    next->turn.since_ms = now_ms;
    next->turn.missing = missing;
    next->turn.looks = 0;
    next->session().Wait(false);
    std::erase(waiting_, next);
  }
}

void UvRelief::AdmitAll() {
  looked_at_ = 0;
  own_->worst_holder.Set(0);
  for (const auto& session : *sessions_) {
    session->turn = {};
    if (!session->ended()) session->session().Wait(false);
  }
}

}  // namespace gemel
