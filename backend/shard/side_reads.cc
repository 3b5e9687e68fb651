#include "backend/shard/side_reads.h"

#include <algorithm>
#include <utility>

#include "backend/command/command_table.h"

namespace gemel {

namespace {

// A reply from here on says how many go together.
constexpr size_t kLargeReply = 64 * 1024;
// So many side links that could not be made, and the main link is used.
constexpr uint32_t kMostFailures = 2;
// What a read is blamed for: so many ends of connections, the last of them alone.
constexpr uint32_t kMostEnds = 2;
// With an end of the main link beside it the node itself may have died.
constexpr uint32_t kMostEndsOfNodes = 3;

}  // namespace

Link* SideReads::MakeLink(uint32_t copy, LinkOptions options) {
  if (lanes_.size() <= copy) lanes_.resize(copy + 1);
  options.client_name += options.client_name.empty() ? "" : ":side";
  options.after_crash = false;
  auto lane = std::make_unique<Lane>();
  lane->link =
      std::make_unique<Link>(static_cast<LinkOwner*>(this), copy, pool_, std::move(options));
  lanes_[copy] = std::move(lane);
  return lanes_[copy]->link.get();
}

void SideReads::SetOptions(uint32_t copy, LinkOptions options) {
  options.client_name += options.client_name.empty() ? "" : ":side";
  lanes_[copy]->link->set_options(std::move(options));
}

void SideReads::StopLink(uint32_t copy) {
  Lane& lane = *lanes_[copy];
  lane.stopping = true;
  lane.link->Stop();
  lane.stopping = lane.started = false;
}

void SideReads::OnNodeDown(uint32_t copy, const std::string& why) { lanes_[copy]->link->Fail(why); }

void SideReads::Add(Request* request, uint32_t ends, uint64_t bytes, uint64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  request->OwnFrame();
  Entry& entry = line_.emplace_back();
  entry.request = request;
  entry.ends = ends;
  entry.bytes = bytes;
  entry.since_ms = now_ms_;
  ++sessions_[request->session];
  Step();
}

Request* SideReads::Take(Line::iterator entry) {
  Request* request = entry->request;
  const auto session = sessions_.find(request->session);
  if (--session->second == 0) {
    sessions_.erase(session);
    session_done_ = true;
  }
  line_.erase(entry);
  return request;
}

void SideReads::Refuse(Line::iterator entry, const std::string& text) {
  host_->RefuseSideRead(Take(entry), text);
}

void SideReads::Step() {
  if (stepping_) {
    again_ = true;
    return;
  }
  stepping_ = true;
  do {
    again_ = false;
    for (auto entry = line_.begin(); entry != line_.end() && !again_;) {
      const auto next = std::next(entry);
      if (!entry->sent && !StepOne(entry)) break;
      entry = next;
    }
  } while (again_);
  stepping_ = false;
  TellDone();
}

// Not from within a step: the shard may send what it held, and add to the line.
void SideReads::TellDone() {
  if (!stepping_ && std::exchange(session_done_, false)) host_->OnSideSessionDone();
}

bool SideReads::StepOne(Line::iterator entry) {
  if (host_->IsGone(entry->request->session)) {
    Refuse(entry, "ERR the client is gone");
    return true;
  }
  if (!Choose(&*entry)) {
    if (!host_->MayAnswerLater()) Refuse(entry, host_->WhyNobodyAnswers());
    return true;
  }
  if (!host_->MaySendSideRead(*entry->request)) return true;
  const uint32_t copy = static_cast<uint32_t>(entry->copy);
  const Link& main = host_->MainLink(copy);
  if (main.line().answered_place() < entry->behind) return true;
  if (!usable(copy) || lanes_[copy]->failures >= kMostFailures) {
    if (entry->ends < kMostEnds) {
      host_->SendOnMainLink(copy, Take(entry));
    } else {
      Refuse(entry,
             "ERR connections to the nodes ended again and again while this command was "
             "answered, and no other can be made for it alone");
    }
    return true;
  }
  Lane& lane = *lanes_[copy];
  lane.used_ms = now_ms_;
  if (!lane.started) {
    lane.started = true;
    lane.link->Start(now_ms_);
  }
  if (!lane.link->up()) return true;
  const bool alone = entry->ends >= kMostEnds;
  const bool room = lane.out == 0 || (!alone && lane.out < lane.window &&
                                      lane.out_bytes + entry->bytes <= RoomOf(copy));
  if (!room) return false;
  if (alone) lane.window = 1;
  Send(entry, &lane);
  return true;
}

// The copy that it waits for or goes to. False: nobody now.
bool SideReads::Choose(Entry* entry) {
  if (entry->copy >= 0) {
    const Link& main = host_->MainLink(static_cast<uint32_t>(entry->copy));
    if (main.up() && main.times().connects() == entry->connection &&
        host_->PickForSideRead(*entry->request, ~Bit(static_cast<uint32_t>(entry->copy))) >= 0) {
      return true;
    }
  }
  entry->copy = host_->PickForSideRead(*entry->request, entry->request->tried);
  if (entry->copy < 0 && entry->request->tried != 0) {
    entry->copy = host_->PickForSideRead(*entry->request, 0);
  }
  if (entry->copy < 0) return false;
  const Link& main = host_->MainLink(static_cast<uint32_t>(entry->copy));
  entry->connection = main.times().connects();
  entry->behind = main.line().last_place();
  return true;
}

uint64_t SideReads::RoomOf(uint32_t copy) const {
  return std::min(kRoom, host_->MainLink(copy).identity().limits.output / kPartOfOutput);
}

void SideReads::Send(Line::iterator entry, Lane* lane) {
  Request* request = entry->request;
  entry->sent = true;
  ++lane->out;
  lane->out_bytes += entry->bytes;
  request->tried |= static_cast<uint16_t>(Bit(static_cast<uint32_t>(entry->copy)));
  sent_[request] = entry;
  lane->link->Send(request, host_->SideFrame(lane->link->index(), *request));
}

void SideReads::Unsend(Entry* entry, Lane* lane) {
  sent_.erase(entry->request);
  entry->sent = false;
  --lane->out;
  lane->out_bytes -= entry->bytes;
}

std::string SideReads::WhyNot(const Link& link, const NodeIdentity& identity) {
  const Link& main = host_->MainLink(link.index());
  if (!main.up()) return "its other connection is not there";
  if (ProcessOf(main.identity().run_id) != ProcessOf(identity.run_id)) {
    return "it is not the server that its other connection leads to";
  }
  return {};
}

void SideReads::OnLinkUp(Link* link, const NodeIdentity&) {
  Lane& lane = *lanes_[link->index()];
  lane.failures = 0;
  lane.window = 1;
  Step();
}

void SideReads::OnLinkReply(Link* link, LinkItem* item, const Reply& reply, std::string_view) {
  Lane& lane = *lanes_[link->index()];
  const Line::iterator entry = sent_.at(item);
  Unsend(&*entry, &lane);
  lane.used_ms = now_ms_;
  const size_t bytes = reply.bytes.size();
  if (bytes >= kLargeReply) {
    const uint64_t fit = RoomOf(link->index()) / bytes;
    lane.window = static_cast<uint32_t>(std::clamp<uint64_t>(fit, 1, kMostAtOnce));
  } else {
    lane.window = std::min(lane.window * 2, kMostAtOnce);
  }
  Request* request = entry->request;
  if (host_->IsDoubtfulReply(link->index(), reply) &&
      (host_->PickForSideRead(*request, request->tried) >= 0 ||
       host_->MustWaitForAnother(link->index()))) {
    entry->copy = -1;
    Step();
    return;
  }
  Take(entry);
  host_->OnSideReply(link->index(), request, reply);
  Step();
}

void SideReads::OnLinkLost(Link* link, LinkItem* item, std::string_view) {
  Lane& lane = *lanes_[link->index()];
  const Line::iterator entry = sent_.at(item);
  const bool alone = lane.out == 1 && lane.lost == 0;
  Unsend(&*entry, &lane);
  ++lane.lost;
  entry->copy = -1;
  if (stopped_ || lane.stopping) return;
  ++entry->ends;
  const CommandRow* row = entry->request->row;
  const bool endless = link->end().overdue && row != nullptr && row->RunsCode();
  const bool node_lives = host_->MainLink(link->index()).up();
  if (!endless && (!alone || entry->ends < (node_lives ? kMostEnds : kMostEndsOfNodes))) return;
  host_->OnBlamed(*entry->request);
  Refuse(entry, "ERR the connection to node " + link->name() + " ended " +
                    std::to_string(entry->ends) +
                    " times while it answered this command, which is not sent again; its reply may "
                    "be more than the node keeps for one client (client-output-buffer-limit, "
                    "maxmemory-clients), or take longer than [timeouts] request_ms");
  TellDone();
}

void SideReads::OnLinkDown(Link* link, const std::string&, bool) {
  Lane& lane = *lanes_[link->index()];
  lane.window = 1;
  lane.lost = 0;
  if (!link->times().hopeful()) ++lane.failures;
  if (stopped_ || lane.stopping) return;
  link->Tick(now_ms_, 0);  // again at once, if it was up
  Step();
}

void SideReads::Tick(uint64_t now_ms, uint32_t random, uint32_t wait_ms) {
  now_ms_ = now_ms;
  for (const auto& lane : lanes_) {
    if (lane == nullptr || !lane->started) continue;
    lane->link->Tick(now_ms, random += 0x9e3779b9u);
    if (lane->out == 0 && now_ms >= lane->used_ms + kIdleMs) {
      StopLink(lane->link->index());
      lane->failures = 0;
    }
  }
  if (line_.empty()) return;
  stepping_ = true;
  for (auto entry = line_.begin(); entry != line_.end();) {
    const auto late = entry++;
    if (!late->sent && now_ms >= late->since_ms + wait_ms) {
      Refuse(late, host_->WhyNobodyAnswers());
    }
  }
  stepping_ = false;
  Step();
}

std::vector<Request*> SideReads::TakeAll() {
  stopped_ = true;
  for (const auto& lane : lanes_) {
    if (lane != nullptr) lane->link->Stop();
  }
  stepping_ = true;
  std::vector<Request*> all;
  while (!line_.empty()) all.push_back(Take(line_.begin()));
  return all;
}

void SideReads::Stop(const std::string& text) {
  stopped_ = true;
  for (const auto& lane : lanes_) {
    if (lane != nullptr) lane->link->Stop();
  }
  stepping_ = true;
  while (!line_.empty()) Refuse(line_.begin(), text);
}

}  // namespace gemel
