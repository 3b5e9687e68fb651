#include "proxy/peers/peer_lines.h"

#include <algorithm>
#include <new>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/shard/blocked_cargo.h"
#include "proxy/peers/peer_cargo.h"
#include "proxy/peers/peer_push.h"
#include "proxy/session/errors.h"

namespace gemel {

namespace {

// So long a member is not asked again that has said that it does not own the shard, while nobody
// else is known to.
constexpr uint64_t kAskAgainMs = 20;

std::string ErrorFrame(std::string_view text) {
  std::string frame;
  AppendError(&frame, text);
  return frame;
}

}  // namespace

void PeerLines::SetNames(std::vector<std::string> names, uint64_t route) {
  route_ = route;
  if (lines_.size() < names.size()) lines_.resize(names.size());
  for (size_t slot = 0; slot < names.size(); ++slot) {
    // Of a shard that is no more the name stays: what is held for it says which.
    if (!names[slot].empty()) lines_[slot].name = std::move(names[slot]);
  }
  OnOwners();
}

PeerLines::Line& PeerLines::LineOf(uint32_t slot) {
  if (lines_.size() <= slot) lines_.resize(slot + 1);
  Line& line = lines_[slot];
  if (line.round == 0) line.round = ++last_round_;
  return line;
}

bool PeerLines::Has(uint32_t slot) const {
  return slot < lines_.size() && (!lines_[slot].waiting.empty() || lines_[slot].on_way > 0);
}

void PeerLines::Mark(Line* line, uint32_t slot) {
  if (std::exchange(line->dirty, true)) return;
  WantFlush();
  dirty_.push_back(slot);
}

void PeerLines::MarkAll() {
  for (uint32_t slot = 0; slot < lines_.size(); ++slot) {
    if (!lines_[slot].waiting.empty()) Mark(&lines_[slot], slot);
  }
}

void PeerLines::Answer(Request* request, std::string bytes) {
  WantFlush();
  ripe_.push_back({request, std::move(bytes)});
}

void PeerLines::Submit(Request* request) {
  if (request->kind == RequestKind::kUnblock) {
    Unblock(request);
    return;
  }
  try {
    if (request->kind == RequestKind::kLibraries && world_.libraries) {
      auto cargo = std::make_unique<LibrariesCargo>();
      cargo->shared = world_.libraries();
      request->Extra().cargo = std::move(cargo);
    }
    request->OwnFrame();
  } catch (const std::bad_alloc&) {
    Answer(request, ErrorFrame(kNoMemory));
    return;
  }
  Line& line = LineOf(request->shard);
  const uint64_t now_ms = world_.now_ms();
  const Waiting waiting{request, {++last_number_, now_ms, request->shard, 0, route_}, now_ms};
  if (line.open != nullptr && line.open->Takes()) {
    line.used = true;
    SendOn(&line, line.open, waiting, now_ms);
    WantFlush();
    sent_ = true;
    return;
  }
  line.open = nullptr;
  line.waiting.push_back(waiting);
  Mark(&line, request->shard);
}

// Whoever waits is with a member, or here still, or has been answered.
void PeerLines::Unblock(Request* request) {
  const auto& cargo = static_cast<const UnblockCargo&>(*request->extra->cargo);
  Line& line = LineOf(request->shard);
  for (PeerLink* link : world_.roads->links()) {
    if (!link->Waits(cargo.ticket.get())) continue;
    ++line.on_way_late;
    const uint64_t now_ms = world_.now_ms();
    link->Send(request, {++last_number_, now_ms, request->shard, 0, route_}, line.name, line.round,
               now_ms);
    Mark(&line, request->shard);
    return;
  }
  const auto held = std::find_if(line.waiting.begin(), line.waiting.end(), [&](const Waiting& w) {
    return KindOnceTracked(w.request->kind, w.request->becomes) == RequestKind::kBlocking &&
           static_cast<const BlockingCargo&>(*w.request->extra->cargo).ticket == cargo.ticket;
  });
  if (held != line.waiting.end()) {
    Answer(held->request, std::string(UnblockedText(cargo.why)));
    line.waiting.erase(held);
  }
  Answer(request, "+OK\r\n");
}

void PeerLines::OnOwners() {
  for (Line& line : lines_) {
    line.looked = false;
    line.open = nullptr;
  }
  MarkAll();
  LookWhoOwns();
}

void PeerLines::OnRoad() {
  MarkAll();
  LookWhoOwns();
}

void PeerLines::OnRoom() {
  for (uint32_t slot = 0; slot < lines_.size(); ++slot) {
    if (lines_[slot].full) Mark(&lines_[slot], slot);
  }
}

void PeerLines::LookWhoOwns() {
  if (!world_.on_anew) return;
  const bool listens = world_.listens();
  for (uint32_t slot = 0; slot < lines_.size(); ++slot) {
    if (!lines_[slot].name.empty()) LookAtStage(&lines_[slot], slot, listens);
  }
}

// While nobody listens no link is made for it; what is said meanwhile goes to the owner that is.
void PeerLines::LookAtStage(Line* line, uint32_t slot, bool listens) {
  const PeerOwner owner = world_.owner(line->name);
  if (!owner.known) return;
  PeerLink* link = nullptr;
  if (!owner.mine) {
    link = listens ? world_.roads->LinkTo(owner) : world_.roads->Find(owner);
    if (listens && link == nullptr) return;  // it is looked at again once it is up
  }
  Stage& stage = line->stage;
  const bool same = stage.known && !stage.lost && stage.owner == owner &&
                    (stage.link == link || stage.link == nullptr);
  const bool first = !stage.known;
  stage = {owner, link, true, false};
  // What is at home is told by whoever made it there.
  if (!same && !first && !owner.mine) world_.on_anew(slot);
}

bool PeerLines::OnPeerPush(std::string_view body) {
  uint32_t worker = 0;
  std::string_view messages;
  if (PeerFrameOf(body) == PeerFrame::kChanged) {
    return world_.tracking != nullptr && ReadPeerChanges(body, world_.workers, world_.tracking);
  }
  if (!ReadPeerMessages(body, &worker, &messages) || worker >= world_.workers) return false;
  if (world_.on_messages) world_.on_messages(worker, messages);
  return true;
}

void PeerLines::OnPeerLost(const PeerLink* link) {
  for (Line& line : lines_) {
    if (line.open == link) line.open = nullptr;
    if (line.stage.link != link) continue;
    line.stage.link = nullptr;
    line.stage.lost = true;
  }
}

void PeerLines::Flush() {
  // What an answer causes is sent in the same turn, but an answer that cannot but be an error again
  // does not keep the loop.
  for (int turn = 0; turn < 16 && HasWork(); ++turn) {
    for (const uint32_t slot : std::exchange(dirty_, {})) {
      lines_[slot].dirty = false;
      Drive(slot);
    }
    for (const Ripe& ripe : std::exchange(ripe_, {})) {
      ripe.request->sink->OnReply(ripe.request, Reply{ripe.bytes, nullptr});
    }
  }
  sent_ = false;  // links are flushed after this
}

void PeerLines::Drive(uint32_t slot) {
  Line* line = &lines_[slot];
  line->full = false;
  line->open = nullptr;
  if (line->returning) {
    if (line->on_way > 0) return;
    line->returning = false;
    line->round = ++last_round_;
  }
  if (!line->waiting.empty() && line->waiting.front().place.route != route_) DropOldRoute(line);
  if (line->waiting.empty()) return;
  if (!line->looked) {
    line->owner = world_.owner(line->name);
    line->looked = true;
  }
  const PeerOwner& owner = line->owner;
  if (owner.mine) {
    if (line->on_way == 0) BringHome(line);
    return;
  }
  if (!owner.known) return;
  if (line->refused_ms != 0 && owner == line->refused_by) {
    // Tick marks it again.
    if (world_.now_ms() < line->refused_ms + kAskAgainMs) return;
  }
  line->refused_ms = 0;
  PeerLink* link = world_.roads->LinkTo(owner);
  if (link == nullptr) return;
  if (line->on_way > 0 && line->link != link) return;
  SendWaiting(line, link);
}

// Of what a client asked; the rest is about the shard itself, whatever keys it has.
bool PeerLines::IsOfOldRoute(const Waiting& waiting) const {
  return waiting.place.route != route_ &&
         (IsPrompt(*waiting.request) ||
          KindOnceTracked(waiting.request->kind, waiting.request->becomes) ==
              RequestKind::kBlocking);
}

// Its keys may be another shard's by now.
void PeerLines::DropOldRoute(Line* line) {
  std::erase_if(line->waiting, [this](Waiting& waiting) {
    if (IsOfOldRoute(waiting)) {
      Answer(waiting.request,
             ErrorFrame("TRYAGAIN the shards of the fleet have changed while this waited: send it "
                        "again"));
      return true;
    }
    waiting.place.route = route_;
    return false;
  });
}

void PeerLines::SendWaiting(Line* line, PeerLink* link) {
  line->link = link;
  const uint64_t now_ms = world_.now_ms();
  while (!line->waiting.empty() && link->Takes()) {
    const Waiting next = line->waiting.front();
    line->waiting.pop_front();
    SendOn(line, link, next, now_ms);
  }
  line->full = !line->waiting.empty();
  if (line->full) {
    link->WantRoom();
  } else {
    line->open = link;
  }
}

void PeerLines::SendOn(Line* line, PeerLink* link, Waiting next, uint64_t now_ms) {
  next.place.waited_ms += static_cast<uint32_t>(now_ms - next.held_ms);
  ++(IsPrompt(*next.request) ? line->on_way : line->on_way_late);
  link->Send(next.request, next.place, line->name, line->round, now_ms);
}

// Each may cause others to be submitted, here or there, which stand behind all that are held.
void PeerLines::BringHome(Line* line) {
  while (!line->waiting.empty() && line->looked && line->owner.mine) {
    const Waiting first = line->waiting.front();
    line->waiting.pop_front();
    if (world_.come_home(first.request)) continue;
    // The lease is known of before the shard is here, and still when that was cut off.
    line->waiting.push_front(first);
    return;
  }
}

void PeerLines::LeaveWay(Line* line, const Request& request) {
  --(IsPrompt(request) ? line->on_way : line->on_way_late);
}

void PeerLines::TurnBack(Line* line, uint32_t slot) {
  line->looked = false;
  line->returning = true;
  line->open = nullptr;
  Mark(line, slot);
}

void PeerLines::Insert(Line* line, Request* request, const PeerPlace& place) {
  const auto behind =
      std::find_if(line->waiting.begin(), line->waiting.end(),
                   [&](const Waiting& other) { return other.place.number > place.number; });
  line->waiting.insert(behind, {request, place, world_.now_ms()});
}

void PeerLines::OnPeerReply(Request* request, const PeerPlace& place, std::string_view bytes) {
  Line& line = LineOf(place.slot);
  LeaveWay(&line, *request);
  if (line.returning || line.full || !line.waiting.empty()) Mark(&line, place.slot);
  request->sink->OnReply(request, Reply{bytes, nullptr});
}

void PeerLines::OnPeerBack(Request* request, const PeerPlace& place, bool refused) {
  Line& line = LineOf(place.slot);
  LeaveWay(&line, *request);
  if (refused) {
    line.refused_by = line.owner;
    line.refused_ms = world_.now_ms();
  }
  TurnBack(&line, place.slot);
  if (request->kind == RequestKind::kUnblock) {
    Unblock(request);
  } else {
    Insert(&line, request, place);
  }
}

void PeerLines::OnPeerUnknown(Request* request, const PeerPlace& place, const std::string& member) {
  Line& line = LineOf(place.slot);
  LeaveWay(&line, *request);
  TurnBack(&line, place.slot);
  Answer(request,
         ErrorFrame("ERR the member '" + member + "' of the fleet, which had shard '" + line.name +
                    "', was lost before it answered: the command may or may not have been "
                    "carried out"));
}

std::string PeerLines::WhyNot(const Line& line) const {
  std::string why = "CLUSTERDOWN shard '" + line.name + "' cannot be reached: ";
  if (line.returning && line.on_way > 0) {
    return why + "the member that had it has not answered what it was asked";
  }
  const std::string trouble = world_.trouble ? world_.trouble() : std::string();
  const std::string cause = trouble.empty() ? "" : ", for " + trouble;
  if (!line.looked || !line.owner.known) {
    return why + "no member of the fleet owns it just now" + cause;
  }
  if (line.owner.mine) return why + "this member is about to serve it";
  why += "the member '" + line.owner.member + "', which owns it, ";
  if (line.refused_ms != 0) return why + "says that it does not" + cause;
  const std::string road = world_.roads->TroubleWith(line.owner);
  return why + (road.empty() ? "is not connected" : "is not connected: " + road);
}

// A member that lost a shard in order has answered for it before. One that was found dead cannot
// do what it was asked any more, and need not be waited for until the link itself is lost.
void PeerLines::GiveUpSilent(uint64_t now_ms) {
  std::vector<PeerLink*> silent;
  for (const Line& line : lines_) {
    if (line.on_way == 0 || !line.link->IsSilent(now_ms) ||
        std::find(silent.begin(), silent.end(), line.link) != silent.end()) {
      continue;
    }
    const PeerOwner owner = world_.owner(line.name);
    if (owner.mine || (owner.known && owner.member != line.link->member())) {
      silent.push_back(line.link);
    }
  }
  for (PeerLink* link : silent) world_.roads->GiveUp(link);
}

void PeerLines::Tick() {
  LookWhoOwns();
  const uint64_t now_ms = world_.now_ms();
  GiveUpSilent(now_ms);
  for (uint32_t slot = 0; slot < lines_.size(); ++slot) {
    Line& line = lines_[slot];
    // So that it is known to be wanted.
    if (std::exchange(line.used, false) && line.open != nullptr) world_.roads->LinkTo(line.owner);
    if (line.waiting.empty()) continue;
    // Behind a link without room it is the member that is slow, not the way.
    std::string why;
    while (!line.full && !line.waiting.empty() &&
           now_ms + line.waiting.front().place.waited_ms >=
               line.waiting.front().held_ms + world_.wait_ms) {
      if (why.empty()) why = ErrorFrame(WhyNot(line));
      Answer(line.waiting.front().request, why);
      line.waiting.pop_front();
    }
    line.looked = false;
    if (!line.waiting.empty()) Mark(&line, slot);
  }
}

void PeerLines::Stop() {
  for (Line& line : lines_) {
    for (const Waiting& waiting : std::exchange(line.waiting, {})) {
      Answer(waiting.request, ErrorFrame("ERR gemel stops"));
    }
  }
  Flush();
}

}  // namespace gemel
