#include "backend/shard/departure.h"

#include <utility>

#include "backend/shard/aside.h"
#include "backend/shard/audience.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/hold.h"
#include "backend/shard/removals.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_control.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

void Departure::Begin(std::function<void()> drained) {
  begun_ = true;
  drained_ = std::move(drained);
  until_ms_ = parts_->env->NowMs() + parts_->options.wait_ms;
  parts_->hold->Leave();
  parts_->shard->LeaveShortWay();
}

// What ends something that is under way, or tells of the shard, is served to the end; who comes to
// wait for a key is known by its ticket, and so must be found.
bool Departure::Take(Request* request) {
  if (gone_) {
    parts_->env->NotHere(request);
    return true;
  }
  switch (request->kind) {
    case RequestKind::kReport:
    case RequestKind::kExplain:
    case RequestKind::kKill:
    case RequestKind::kNodes:
    case RequestKind::kBlocking:
    case RequestKind::kUnblock:
      return false;
    default:
      parts_->hold->Add(request);
      return true;
  }
}

bool Departure::NothingInFlight() const {
  if (!parts_->writes->Quiet() || !parts_->aside->empty() || !parts_->way_back->NothingLocked() ||
      !parts_->first->idle() || !parts_->control->idle() || parts_->edits->editing() ||
      parts_->hold->HasToSend()) {
    return false;
  }
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) {
    if (!parts_->copies->link(i).line().empty()) return false;
  }
  return true;
}

void Departure::Tick(uint64_t now_ms) {
  if (!drained_) return;
  if (now_ms < until_ms_ &&
      (!NothingInFlight() || !parts_->audience->channels().IsHeard(&published_))) {
    return;
  }
  const std::function<void()> drained = std::exchange(drained_, nullptr);
  drained();
}

// A copy that went away may lack what was lost on the way to it, and have what another one lacks:
// that would be made good when it is back, and nobody knows of it elsewhere.
bool Departure::AllAreThere() const {
  if (parts_->copies->unsure() != 0) return false;
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) {
    const Link& link = parts_->copies->link(i);
    if ((parts_->copies->in_sync() & Bit(i)) != 0 && link.was_up() && !link.up()) return false;
  }
  return true;
}

bool Departure::GiveBack() {
  const bool clean = NothingInFlight() && AllAreThere();
  CutOff("shard '" + parts_->options.name +
         "' went to another member of the fleet before its nodes had answered");
  HandAll(clean);
  return clean;
}

void Departure::Cut() {
  begun_ = true;
  CutOff("this member of the fleet lost its lease of shard '" + parts_->options.name + "'");
  HandAll(/*clean=*/false);
}

// What an answer lets a session send is held, behind all that is here.
void Departure::CutOff(const std::string& why) {
  drained_ = nullptr;
  parts_->cut = why;
  parts_->hold->Leave();
  parts_->shard->LeaveShortWay();
  parts_->roles->Stop();
  parts_->edits->Stop();
  parts_->control->Stop(why);
  parts_->aside->GiveBack();
  parts_->removals->feeds().Stop();
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) parts_->copies->link(i).Stop();
  parts_->writes->Stop();
}

// An answer may let a session send more. So none is given before all that came earlier is on its
// way.
void Departure::HandAll(bool clean) {
  SyncWaits& syncs = parts_->audience->syncs();
  parts_->watches->LoseAll();
  parts_->tracked->OnAllChanged();
  std::vector<Request*> given;
  std::vector<BlockedClients::Taken> over;
  for (BlockedClients::Taken& taken : parts_->blocked->TakeAll()) {
    if (taken.end.empty()) {
      given.push_back(taken.request);
    } else {
      over.push_back(std::move(taken));
    }
  }
  if (clean) {
    for (Request* request : syncs.TakeAll()) given.push_back(request);
  }
  std::vector<Request*> rest;
  do {
    for (Request* request : parts_->hold->TakeAll()) {
      (MayBeGiven(*request) ? given : rest).push_back(request);
    }
    parts_->tracked->ReleaseReads();
    for (Request* request : std::exchange(given, {})) Give(request);
  } while (!parts_->hold->empty());
  gone_ = true;
  for (const auto& [request, end] : over) request->sink->OnReply(request, Reply{end, nullptr});
  for (Request* request : rest) AnswerRest(request);
  syncs.Stop();
  parts_->audience->channels().Stop();
  parts_->tracked->Stop();
}

bool Departure::MayBeGiven(const Request& request) const {
  return !request.of_shard && !request.guarded && !parts_->first->MayHaveBeenExecuted(request);
}

void Departure::Give(Request* request) {
  // It has begun its watch here, and is to do so there.
  if (request->kind == RequestKind::kRead && request->extra != nullptr &&
      dynamic_cast<const WatchCargo*>(request->extra->cargo.get()) != nullptr) {
    request->kind = RequestKind::kWatch;
  }
  request->tried = 0;
  parts_->env->NotHere(request);
}

void Departure::AnswerRest(Request* request) {
  if (parts_->first->MayHaveBeenExecuted(*request)) {
    parts_->hold->AnswerError(request, parts_->first->UnknownText(*request));
  } else if (request->guarded) {
    request->sink->OnReply(request, Reply{"_\r\n", nullptr});
  } else {
    parts_->hold->AnswerError(request, "CLUSTERDOWN " + parts_->cut);
  }
}

}  // namespace gemel
