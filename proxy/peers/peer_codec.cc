#include "proxy/peers/peer_codec.h"

#include "backend/peer/peer_wire.h"

namespace gemel {

namespace {

enum : uint8_t {
  kPrimaryOnly = 1 << 0,
  kCursors = 1 << 1,
  kGuarded = 1 << 2,
  kBlock = 1 << 3,
  kCounted = 1 << 4,
  kAllFlags = (1 << 5) - 1,
};
constexpr uint8_t kNotHere = 1;
constexpr size_t kPrefix = 4;
constexpr size_t kLengthOfText = 4;
// Bytes of all that is no text: the kind, the numbers, the flags.
constexpr size_t kRequestNumbers = 1 + 8 + 4 + 5 + 4;
constexpr size_t kReplyNumbers = 1 + 8 + 1;

// Puts the length in front of what was appended from `begin` on, with so much that is to follow.
void SetLength(size_t begin, size_t follows, std::string* out) {
  const size_t size = out->size() - begin - kPrefix + follows;
  for (size_t i = 0; i < kPrefix; ++i) (*out)[begin + i] = static_cast<char>(size >> (8 * i));
}

size_t Begin(PeerFrame frame, WireWriter* writer, const std::string& out) {
  const size_t begin = out.size();
  writer->U32(0);
  writer->U8(static_cast<uint8_t>(frame));
  return begin;
}

// Of frames of which there are many: makes room for `size` bytes at once, of which the kind is
// written.
WirePlacer Place(PeerFrame frame, size_t size, size_t follows, std::string* out) {
  const size_t begin = out->size();
  out->resize(begin + kPrefix + size);
  WirePlacer placer(out->data() + begin);
  placer.U32(static_cast<uint32_t>(size + follows));
  placer.U8(static_cast<uint8_t>(frame));
  return placer;
}

}  // namespace

void AppendPeerRequest(const PeerRequest& request, std::string* out) {
  const size_t size = kRequestNumbers + 3 * kLengthOfText + request.shard.size() +
                      request.row.size() + request.cargo.size();
  WirePlacer placer = Place(PeerFrame::kRequest, size, request.frame.size(), out);
  placer.U64(request.id);
  placer.U32(request.round);
  placer.U8(static_cast<uint8_t>(request.kind));
  placer.U8(static_cast<uint8_t>(request.becomes));
  placer.U8(static_cast<uint8_t>((request.primary_only ? kPrimaryOnly : 0) |
                                 (request.cursors ? kCursors : 0) |
                                 (request.guarded ? kGuarded : 0) | (request.block ? kBlock : 0) |
                                 (request.counted ? kCounted : 0)));
  placer.U8(request.database);
  placer.U8(request.reply_log2);
  placer.U32(request.session);
  placer.Text(request.shard);
  placer.Text(request.row);
  placer.Text(request.cargo);
}

void AppendPeerReply(const PeerReply& reply, std::string* out) {
  const size_t size = kReplyNumbers + kLengthOfText + reply.cargo.size();
  WirePlacer placer = Place(PeerFrame::kReply, size, reply.bytes.size(), out);
  placer.U64(reply.id);
  placer.U8(reply.not_here ? kNotHere : 0);
  placer.Text(reply.cargo);
}

void AppendPeerNumber(PeerFrame frame, uint64_t number, std::string* out) {
  WireWriter writer(out);
  const size_t begin = Begin(frame, &writer, *out);
  writer.U64(number);
  SetLength(begin, 0, out);
}

void AppendPeerAlive(std::string* out) {
  WireWriter writer(out);
  SetLength(Begin(PeerFrame::kAlive, &writer, *out), 0, out);
}

PeerFrame PeerFrameOf(std::string_view body) { return PeerFrame{WireReader(body).U8()}; }

bool ReadPeerRequest(std::string_view body, PeerRequest* request) {
  WireReader reader(body);
  reader.U8();
  request->id = reader.U64();
  request->round = reader.U32();
  const uint8_t kind = reader.U8();
  const uint8_t becomes = reader.U8();
  const uint8_t flags = reader.U8();
  request->database = reader.U8();
  request->reply_log2 = reader.U8();
  request->session = reader.U32();
  request->shard = reader.Text(kMostPeerName);
  request->row = reader.Text(kMostPeerName);
  request->cargo = reader.Text(kMostPeerCargo);
  request->frame = reader.Rest();
  // kWorker is the process's own.
  if (!reader.ok() || kind >= static_cast<uint8_t>(RequestKind::kWorker) ||
      becomes > static_cast<uint8_t>(TrackedAs::kBlocking) || (flags & ~kAllFlags) != 0 ||
      request->reply_log2 >= 64 || request->shard.empty()) {
    return false;
  }
  request->kind = RequestKind{kind};
  request->becomes = TrackedAs{becomes};
  request->primary_only = (flags & kPrimaryOnly) != 0;
  request->cursors = (flags & kCursors) != 0;
  request->guarded = (flags & kGuarded) != 0;
  request->block = (flags & kBlock) != 0;
  request->counted = (flags & kCounted) != 0;
  return true;
}

bool ReadPeerReply(std::string_view body, PeerReply* reply) {
  WireReader reader(body);
  reader.U8();
  reply->id = reader.U64();
  const uint8_t flags = reader.U8();
  reply->cargo = reader.Text(kMostPeerCargo);
  reply->bytes = reader.Rest();
  reply->not_here = flags == kNotHere;
  return reader.ok() && flags <= kNotHere &&
         (!reply->not_here || (reply->bytes.empty() && reply->cargo.empty()));
}

bool ReadPeerNumber(std::string_view body, uint64_t* number) {
  WireReader reader(body);
  reader.U8();
  *number = reader.U64();
  return reader.AtEnd();
}

RequestKind KindOnceTracked(RequestKind kind, TrackedAs becomes) {
  if (kind != RequestKind::kTracked) return kind;
  switch (becomes) {
    case TrackedAs::kWrite:
      return RequestKind::kWrite;
    case TrackedAs::kFirstWrite:
      return RequestKind::kFirstWrite;
    case TrackedAs::kBlocking:
      return RequestKind::kBlocking;
    default:
      return RequestKind::kRead;
  }
}

bool LooksLikeReply(std::string_view bytes) {
  constexpr std::string_view kTypes = "+-:$*_,#!=(%~>|";
  return bytes.size() >= 3 && kTypes.find(bytes[0]) != std::string_view::npos &&
         bytes.ends_with("\r\n");
}

}  // namespace gemel
