#include "backend/raft/uv_raft_door.h"

#include <netinet/in.h>

#include <cstdlib>
#include <utility>

#include "backend/names/node_addresses.h"
#include "backend/raft/raft_names.h"
#include "backend/uv/uv_clock.h"
#include "backend/uv/uv_names.h"

namespace gemel {

namespace {

constexpr int kDoorBacklog = 128;
constexpr uint64_t kDoorNameMs = 10000;
constexpr uint64_t kTellAgainMs = 60000;

// libuv's code.
int PlaceOfDoor(const std::string& number, uint16_t port, sockaddr_storage* place) {
  const int status = uv_ip4_addr(number.c_str(), port, reinterpret_cast<sockaddr_in*>(place));
  if (status == 0) return 0;
  return uv_ip6_addr(number.c_str(), port, reinterpret_cast<sockaddr_in6*>(place));
}

}  // namespace

void UvRaftDoor::ListenerClose::operator()(uv_tcp_t* tcp) const {
  tcp->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(tcp), [](uv_handle_t* closed) {
    std::unique_ptr<uv_tcp_t>(reinterpret_cast<uv_tcp_t*>(closed)).reset();
  });
}

UvRaftDoor::UvRaftDoor(uv_loop_t* loop, Options options, Calls calls)
    : loop_(loop),
      options_(std::move(options)),
      calls_(std::move(calls)),
      closing_(loop, [this] { FinishClose(); }) {}

bool UvRaftDoor::Listen(std::string* error) {
  std::string number = options_.listen.host;
  if (!IsNumber(number)) {
    const NameAnswer found = UvNames::Process().Resolve({number}, kDoorNameMs)[0];
    if (found.addresses.empty()) {
      *error = "cannot listen on " + options_.listen.ToString() + ": " +
               (found.error.empty() ? "it has no address" : found.error);
      return false;
    }
    number = found.addresses[0];
  }
  sockaddr_storage place{};
  int status = PlaceOfDoor(number, options_.listen.port, &place);
  auto tcp = std::make_unique<uv_tcp_t>();
  uv_tcp_init(loop_, tcp.get());
  listener_.reset(tcp.release());
  listener_->data = this;
  if (status == 0) status = uv_tcp_bind(listener_.get(), reinterpret_cast<sockaddr*>(&place), 0);
  if (status == 0) {
    status = uv_listen(reinterpret_cast<uv_stream_t*>(listener_.get()), kDoorBacklog,
                       [](uv_stream_t* listener, int result) {
                         auto* door = static_cast<UvRaftDoor*>(listener->data);
                         if (door != nullptr && result == 0) door->OnComer();
                       });
  }
  if (status == 0) return true;
  *error = "cannot listen on " + options_.listen.ToString() + " for raft: " + uv_strerror(status);
  listener_.reset();
  return false;
}

void UvRaftDoor::OnComer() {
  const uint64_t id = next_++;
  auto line = std::make_unique<UvRaftLine>(
      loop_, PeerHandshake::Side::kServes,
      PeerHandshake::Names{RaftFleet(options_.fleet), RaftVoterName(options_.voter)},
      options_.secret, options_.tls,
      UvRaftLine::Calls{[this, id](const std::string& peer) { OnKnown(id, peer); },
                        [this, id](std::string_view frame) { calls_.on_frame(id, frame); },
                        [this, id](const std::string& why) { OnGone(id, why); }});
  const bool accepted = line->Accept(reinterpret_cast<uv_stream_t*>(listener_.get()));
  if (!accepted || !open_ || comers_.size() - guests_.size() >= kMostStrangers) return;
  comers_.emplace(id, std::move(line));
}

void UvRaftDoor::OnKnown(uint64_t id, const std::string& peer) {
  const std::optional<std::string> voter = RaftVoterOf(peer);
  if (!voter) {
    guests_.insert(id);
    return calls_.on_guest(id);
  }
  const std::unique_ptr<UvRaftLine> line = std::move(comers_[id]);
  comers_.erase(id);
  if (uv_stream_t* stream = HandOn(line.get()); stream != nullptr) calls_.on_voter(*voter, stream);
}

uv_stream_t* UvRaftDoor::HandOn(UvRaftLine* line) {
  std::unique_ptr<UvTlsTunnel> tunnel;
  uv_stream_t* stream = line->Release(&tunnel);
  // One that has ended already has told the stream so.
  if (tunnel == nullptr || tunnel->finished()) return stream;
  tunnels_.push_front(std::move(tunnel));
  tunnels_.front()->set_on_finish([this, kept = tunnels_.begin()] { tunnels_.erase(kept); });
  return stream;
}

void UvRaftDoor::OnGone(uint64_t id, const std::string& why) {
  const bool guest = guests_.erase(id) > 0;
  const auto found = comers_.find(id);
  const bool refused = found != comers_.end() && found->second->refused();
  if (found != comers_.end()) comers_.erase(found);
  if (guest) calls_.on_gone(id);
  if (refused) TellOfStranger(why);
}

void UvRaftDoor::TellOfStranger(const std::string& why) {
  const uint64_t now_ms = UvClock::NowMs(loop_);
  std::erase_if(told_ms_, [&](const auto& told) { return now_ms >= told.second + kTellAgainMs; });
  // Each of its connections has another port.
  const size_t address = why.find(": ");
  const size_t port = why.rfind(':', address == std::string::npos ? address : address - 1);
  std::string what = why;
  if (address != std::string::npos && port != std::string::npos) what.erase(port, address - port);
  if (told_ms_.size() >= kMostStrangers || !told_ms_.emplace(std::move(what), now_ms).second) {
    return;
  }
  calls_.on_stranger("a connection to raft's port " + options_.listen.ToString() +
                     " was refused: " + why);
}

bool UvRaftDoor::Send(uint64_t guest, std::string_view frame) {
  const auto found = comers_.find(guest);
  return found != comers_.end() && found->second->Send(frame);
}

void UvRaftDoor::Connect(const std::string& voter, Connected connected) {
  outgoing_.emplace_front();
  const auto outgoing = outgoing_.begin();
  outgoing->connected = std::move(connected);
  outgoing->line = std::make_unique<UvRaftLine>(
      loop_, PeerHandshake::Side::kDials,
      PeerHandshake::Names{RaftFleet(options_.fleet), RaftVoterName(options_.voter),
                           RaftVoterName(voter)},
      options_.secret, options_.tls,
      UvRaftLine::Calls{[this, outgoing](const std::string&) { OnMade(outgoing); },
                        [](std::string_view) {},
                        [this, outgoing](const std::string&) { OnNotMade(outgoing); }});
  std::string error;
  const std::optional<Address> address = ParseAddress(voter, &error);
  outgoing->line->Dial(address.value_or(Address()));
}

void UvRaftDoor::OnMade(std::list<Outgoing>::iterator outgoing) {
  const Outgoing made = std::move(*outgoing);
  outgoing_.erase(outgoing);
  made.connected(HandOn(made.line.get()));
}

void UvRaftDoor::OnNotMade(std::list<Outgoing>::iterator outgoing) {
  const Outgoing lost = std::move(*outgoing);
  outgoing_.erase(outgoing);
  lost.connected(nullptr);
}

void UvRaftDoor::Close(std::function<void()> closed) {
  open_ = false;
  closed_ = std::move(closed);
  listener_.reset();
  comers_.clear();
  guests_.clear();
  closing_.Set(0);
}

void UvRaftDoor::FinishClose() {
  while (!outgoing_.empty()) OnNotMade(outgoing_.begin());
  std::exchange(closed_, nullptr)();
}

}  // namespace gemel
