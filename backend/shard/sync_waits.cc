#include "backend/shard/sync_waits.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/write_path.h"

namespace gemel {

namespace {

const SyncCargo& SyncCargoOf(const Request& request) {
  return static_cast<const SyncCargo&>(*request.extra->cargo);
}

}  // namespace

void SyncWaits::Submit(Request* request) {
  const uint64_t now_ms = parts_->env->NowMs();
  const uint64_t timeout_ms = SyncCargoOf(*request).timeout_ms;
  const Wait wait{request, parts_->writes->generations().now(),
                  timeout_ms == 0 ? 0 : now_ms + timeout_ms};
  if (AnswerIfDue(wait, now_ms)) return;
  waits_.push_back(wait);
  WantTick(wait, now_ms);
}

void SyncWaits::Tick(uint64_t now_ms) {
  std::erase_if(waits_, [&](const Wait& wait) { return AnswerIfDue(wait, now_ms); });
  for (const Wait& wait : waits_) WantTick(wait, now_ms);
}

// Soon, if it is only not known yet; else when it is time.
void SyncWaits::WantTick(const Wait& wait, uint64_t now_ms) {
  const bool soon = Known(wait) < 0;
  if (soon || wait.end_ms != 0) parts_->env->UnblockAt(soon ? now_ms + 1 : wait.end_ms);
}

std::vector<Request*> SyncWaits::TakeAll() {
  const uint64_t now_ms = parts_->env->NowMs();
  std::vector<Request*> all;
  for (const Wait& wait : std::exchange(waits_, {})) {
    if (wait.end_ms != 0) {
      static_cast<SyncCargo&>(*wait.request->extra->cargo).timeout_ms =
          wait.end_ms > now_ms ? wait.end_ms - now_ms : 1;
    }
    all.push_back(wait.request);
  }
  return all;
}

void SyncWaits::Stop() {
  for (const Wait& wait : std::exchange(waits_, {})) Answer(wait);
}

int64_t SyncWaits::Known(const Wait& wait) const {
  const bool all = parts_->options.ack == Ack::kAll;
  if (!all && !parts_->writes->generations().HaveEnded(wait.generation)) return -1;
  return std::max(std::popcount(parts_->copies->in_sync()) - 1, 0);
}

bool SyncWaits::AnswerIfDue(const Wait& wait, uint64_t now_ms) {
  const SyncCargo& cargo = SyncCargoOf(*wait.request);
  const bool over = cargo.ticket->ended.load(std::memory_order_relaxed) ||
                    (wait.end_ms != 0 && now_ms >= wait.end_ms);
  if (!over && Known(wait) < cargo.wanted) return false;
  Answer(wait);
  return true;
}

void SyncWaits::Answer(const Wait& wait) {
  std::string reply;
  AppendInteger(&reply, std::max<int64_t>(Known(wait), 0));
  wait.request->sink->OnReply(wait.request, Reply{reply, nullptr});
}

}  // namespace gemel
