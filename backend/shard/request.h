// The seam between who asks (a session, a gatherer of parts) and the shard that answers.

#ifndef GEMEL_BACKEND_SHARD_REQUEST_H_
#define GEMEL_BACKEND_SHARD_REQUEST_H_

#include <bit>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "backend/bytes/budget.h"
#include "backend/bytes/byte_buffer.h"
#include "backend/link/link_item.h"
#include "backend/link/send_times.h"
#include "backend/resp/reply_names.h"
#include "backend/resp/resp2_form.h"
#include "backend/shard/shard_order.h"

namespace gemel {

struct CommandRow;
struct Request;

// Who gets a reply. Called once a request, on the thread that submitted it.
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  // `reply` is valid during the call. The request is the sink's again.
  virtual void OnReply(Request* request, const Reply& reply) = 0;
  // For its request in line so many bytes more are held meanwhile (parts of the reply), or less.
  virtual void OnHeld(int64_t bytes) { (void)bytes; }
  // False: nobody waits for its replies any more, and none need be kept.
  virtual bool Wanted() const { return true; }
};

enum class RequestKind : uint8_t {
  kRead,
  kWrite,
  kFirstWrite,  // a write that one copy executes before the others get what came of it
  kWatch,       // a read that begins a WATCH of its keys, too: the extra's cargo is a WatchCargo
  kReport,      // asks the shard itself: its part of PROXY SHARDS; nothing is sent
  kExplain,    // asks the shard itself: where a write and a read would go now; nothing is sent. The
               // frame is kExplainWrite or kExplainFirstWrite for a command that writes, else empty
  kControl,    // an order to the shard itself (OrderCargo), answered once it is carried out
  kLibraries,  // tells the shard that there are other libraries of functions; answered when every
               // node has them in line. The frame, if there is one, goes to every node as well
  kKill,  // ends a script that a node runs: the frame is SCRIPT or FUNCTION, what it was called by.
          // Answered as Redis answers its KILL. Or, with the frame kFunctionStats, asks what runs:
          // answered with one node's FUNCTION STATS, of one that runs something if there is one
  kNodes,     // asks the shard's nodes themselves, beside the data path: the extra's cargo is a
              // NodesOrder (backend/served/nodes_order.h), which the answers are written into
  kBlocking,  // waits in the shard for what it wants: the extra's cargo is a BlockingCargo
              // (blocked_clients.h), and the frame is its own
  kUnblock,   // ends the waiting of one: the extra's cargo is an UnblockCargo
  kSync,      // waits until so many copies have what was sent before: see SyncCargo
              // (sync_waits.h)
  kChannels,  // a worker wants to hear what is published: see ChannelsCargo (channels.h)
  kTracking,  // a client tracks what changes: see TrackingCargo (tracked_keys.h)
  kTracked,   // what Request::becomes says, whose keys are remembered for its session first
  kAudit,     // asks the shard's audit: answered when a round over all its keys has ended
  kWorker,    // asks a worker, no shard: see RequestCargo
};

inline constexpr std::string_view kFunctionStats = "STATS";
inline constexpr std::string_view kExplainWrite = "write";
inline constexpr std::string_view kExplainFirstWrite = "first write";

// What a request of kind kTracked is.
enum class TrackedAs : uint8_t { kRead, kWrite, kFirstWrite, kBlocking };

inline TrackedAs BecomesOf(RequestKind kind) {
  switch (kind) {
    case RequestKind::kWrite:
      return TrackedAs::kWrite;
    case RequestKind::kFirstWrite:
      return TrackedAs::kFirstWrite;
    case RequestKind::kBlocking:
      return TrackedAs::kBlocking;
    default:
      return TrackedAs::kRead;
  }
}

// What a kWorker request asks, and its answer, as a type of those who make and carry it out.
struct RequestCargo {
  virtual ~RequestCargo() = default;
};

// What a kControl request asks.
struct OrderCargo : RequestCargo {
  explicit OrderCargo(ShardOrder asked) : order(std::move(asked)) {}
  ShardOrder order;
};

// What is told of a request (SLOWLOG, INFO commandstats) where its row and frame do not say so.
struct RequestNote {
  const CommandRow* row = nullptr;  // what the client asked; null: as the request has it
  ByteBuffer args;                  // an array of RESP; empty: those of the frame
  bool waits = false;               // it may wait for what it wants, which does not count
};

// What a request needs only on its longer ways.
struct RequestExtra {
  RequestExtra() { Budget::Take(sizeof(RequestExtra)); }
  ~RequestExtra() { Budget::Give(sizeof(RequestExtra)); }

  // Owns the frame's memory: requests that are large, or on their way to another worker, or made by
  // the proxy. A shard may take it over.
  ByteBuffer owned;
  ByteBuffer reply;                    // kept until its turn comes
  RequestSink* origin_sink = nullptr;  // of one that came from another worker (see Dispatcher)
  uint32_t origin_worker = 0;
  std::unique_ptr<RequestCargo> cargo;
  RequestNote note;          // of one that is `noted`
  uint64_t answered_us = 0;  // when what is kept until its turn came
  AwayTime away;             // of what is kept: how long a node had it
};

// One cache line, because thousands are in flight at a time.
struct Request : LinkItem {
  Request() : LinkItem(LinkItem::Kind::kRequest) {}

  RequestKind kind = RequestKind::kRead;
  bool primary_only : 1 = false;
  bool cursors : 1 = false;    // of SCAN, HSCAN, ... are in it: see cursors.h
  bool submitted : 1 = false;  // to a shard: its answer must be counted off
  bool answered : 1 = false;   // its reply waits in the extra for its turn
  // A transaction that goes on only if none of the keys was touched that its session watches (the
  // extra's cargo is a WatchCargo, see watches.h); its answer is a null else.
  bool guarded : 1 = false;
  TrackedAs becomes : 2 = TrackedAs::kRead;  // of kTracked
  bool guest : 1 = false;  // came over a peer link: is not passed on to another member
  // What its maker may look at while it is elsewhere ends here: the rest is of whoever has it.
  uint8_t : 0;
  bool frame_good : 1 = false;  // while it is answered: the frame is what was sent
  bool noted : 1 = false;       // see RequestNote
  // Of the frame with which it was submitted, whatever stands there when it is answered: this many
  // bits, as whose middle it is counted.
  uint8_t size_bits : 6 = 0;
  // The reply is expected to take less than 2^this bytes; 0: nothing is known.
  uint8_t reply_log2 : 6 = 0;
  bool not_here : 1 = false;  // answered unexecuted: this process does not own the shard
  // Made by the shard, or by who stands beside it: it is nobody else's to carry out.
  bool of_shard : 1 = false;
  // What follows is its maker's again, which may look at it at any time.
  uint8_t : 0;
  // Its maker's: how the reply reads for who asked.
  Resp2Form form : 4 = Resp2Form::kAsItIs;
  // Its maker's: which of the reply are names that its user knows without their prefix.
  ReplyNames names : 3 = ReplyNames::kNone;
  // Its maker's: it is answered later than the shards have answered, and nobody is told before of
  // what these say behind their answers.
  bool holds_pushes : 1 = false;
  uint32_t session = 0;  // requests of one session keep their order
  uint16_t shard = 0;    // index in the pool
  // The shard's: the copies that this read was sent to; or, of a write that is held again, may have
  // executed it, as far as is not undone.
  uint16_t tried = 0;
  RequestSink* sink = nullptr;
  Request* next = nullptr;          // for its maker, while it waits in a queue
  const CommandRow* row = nullptr;  // of a block that of its commands which may take longest
  // What is to be sent: one multibulk command, or a block of them (LinkItem::block). Set for
  // Submit, which copies or takes it.
  std::string_view frame;
  std::unique_ptr<RequestExtra> extra;

  // Made when first needed, and kept.
  RequestExtra& Extra() {
    if (extra == nullptr) extra = std::make_unique<RequestExtra>();
    return *extra;
  }
  bool owns_frame() const { return extra != nullptr && !extra->owned.empty(); }
  // Before it is answered, by who still has what was sent.
  void ShowFrame(std::string_view sent) {
    frame = sent;
    frame_good = true;
  }
  // What it counts for where it is sent.
  void NoteSize() { size_bits = static_cast<uint8_t>(std::bit_width(frame.size())); }
  uint64_t NotedSize() const { return (uint64_t{3} << size_bits) >> 2; }
  // Makes the frame its own memory, unless it is already.
  void OwnFrame() {
    if (owns_frame()) return;
    Extra().owned.Append(frame);
    frame = extra->owned.view();
  }
};
static_assert(sizeof(Request) <= 64);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_REQUEST_H_
