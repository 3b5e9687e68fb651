// What members of a fleet say to each other once they have shaken hands: frames of a kind, a byte,
// and what belongs to it. Who asks sends requests, and what goes with them; who serves sends
// replies. Any bytes may come: what does not fit is bad, and ends the link.

#ifndef GEMEL_PROXY_PEERS_PEER_CODEC_H_
#define GEMEL_PROXY_PEERS_PEER_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "backend/shard/request.h"

namespace gemel {

enum class PeerFrame : uint8_t {
  kRequest = 1,    // PeerRequest
  kReply = 2,      // PeerReply
  kGone = 3,       // u32: the client of that session is gone
  kDropWatch = 4,  // u64: nobody asks for what is watched by that ticket any more
  kEndSync = 5,    // u64: the WAIT that is this request is to be answered with what is known
  kAlive = 6,      // is the other there? and the answer: so that silence tells something
  // What comes outside of replies, in one order with them (peer_push.h), for a worker of the asker.
  kMessages = 7,  // u32: the worker; messages of channels
  kChanged = 8,   // u32: the worker; what changed of keys that its clients track
  kRoute = 9,     // u64: what is asked from now on goes by that route (FleetPlan); at first by 1
};

// A request on the wire. What it has of texts is in the frame, or in what it was made from.
struct PeerRequest {
  uint64_t id = 0;     // unique on its link while it is not answered
  uint32_t round = 0;  // of the shard, see PeerGuest
  RequestKind kind = RequestKind::kRead;
  TrackedAs becomes = TrackedAs::kRead;
  bool primary_only = false;
  bool cursors = false;
  bool guarded = false;
  bool block = false;
  bool counted = false;  // its answer is awaited soon (Dispatcher::Submit, not SubmitApart)
  uint8_t database = 0;
  uint8_t reply_log2 = 0;
  uint32_t session = 0;
  std::string_view shard;
  std::string_view row;    // its name; empty: none
  std::string_view cargo;  // see peer_cargo.h
  std::string_view frame;
};

struct PeerReply {
  uint64_t id = 0;
  bool not_here = false;  // it was not carried out: the shard is not the member's
  std::string_view cargo;
  std::string_view bytes;  // the reply's frame
};

// A frame of a request or reply may have so many bytes: what a node takes or says at once, and what
// goes with it.
inline constexpr size_t kMostPeerFrame = (size_t{1} << 30) + (size_t{64} << 20);
inline constexpr size_t kMostPeerName = 512;
inline constexpr size_t kMostPeerCargo = size_t{64} << 20;

// Append the length and all of the frame but what is last in it (PeerRequest::frame,
// PeerReply::bytes), which is to follow.
void AppendPeerRequest(const PeerRequest& request, std::string* out);
void AppendPeerReply(const PeerReply& reply, std::string* out);
// Append a whole frame.
void AppendPeerNumber(PeerFrame frame, uint64_t number, std::string* out);
void AppendPeerAlive(std::string* out);

// Of a frame without its length: its kind. The rest is read by one of those below; false: it is
// bad.
PeerFrame PeerFrameOf(std::string_view body);
bool ReadPeerRequest(std::string_view body, PeerRequest* request);
bool ReadPeerReply(std::string_view body, PeerReply* reply);
bool ReadPeerNumber(std::string_view body, uint64_t* number);

// What a request is when it is carried out, for one that is kTracked before.
RequestKind KindOnceTracked(RequestKind kind, TrackedAs becomes);

// As Redis says a value or an error: fit to be a reply. (Its insides are the node's.)
bool LooksLikeReply(std::string_view bytes);

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_CODEC_H_
