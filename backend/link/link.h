// One pipelined connection to a node: what is sent keeps its place in line until it is answered,
// and what is lost with the connection is handed back, each with its bytes.
//
// Logic only: a LinkTransport moves the bytes (uv_link.h does, and so does the simulator).

#ifndef GEMEL_BACKEND_LINK_LINK_H_
#define GEMEL_BACKEND_LINK_LINK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/bytes/byte_buffer.h"
#include "backend/bytes/out_queue.h"
#include "backend/link/link_item.h"
#include "backend/link/node_identity.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/reply_skipper.h"

namespace gemel {

class Link;
class OtherProxies;

class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  // A node that is ready introduced itself. If it is not to be used, why (a sentence without a full
  // stop): the connection is ended, and tried again later.
  virtual std::string WhyNot(const Link& link, const NodeIdentity& identity) {
    (void)link;
    (void)identity;
    return {};
  }
  // The connection is made and the node ready: AUTH and SELECT are done, it is not loading.
  virtual void OnLinkUp(Link* link, const NodeIdentity& identity) = 0;
  // The reply to the oldest unanswered item. `frame` is what was sent. Both are valid during the
  // call.
  virtual void OnLinkReply(Link* link, LinkItem* item, const Reply& reply,
                           std::string_view frame) = 0;
  // The connection is gone (the link is kDown already): first each item that was not answered,
  // oldest first, then once the reason. `refused` is hard evidence: nobody listens there.
  virtual void OnLinkLost(Link* link, LinkItem* item, std::string_view frame) = 0;
  virtual void OnLinkDown(Link* link, const std::string& reason, bool refused) = 0;
  // Nothing was answered for `overdue_ms` longer than request_timeout_ms. True: the link is not
  // given up yet. Asked at each Tick.
  virtual bool MayTakeLonger(const Link& link, uint64_t overdue_ms) {
    (void)link;
    (void)overdue_ms;
    return false;
  }
};

// Moves a link's bytes. Calls back OnConnected, OnData and OnClosed, never from inside its methods.
class LinkTransport {
 public:
  virtual ~LinkTransport() = default;
  virtual void Connect() = 0;
  // Ends the connection or the attempt. No call back comes from it any more.
  virtual void Close() = 0;
  // There is output: flush it at the end of the loop turn.
  virtual void WantFlush() = 0;
};

struct LinkOptions {
  std::string name;  // the node's address
  std::string user;
  std::string password;
  uint32_t database = 0;
  ReplyLimits limits;
  uint64_t max_reply = uint64_t{1} << 30;  // a larger one is not kept, twice as large ends the link
  uint32_t connect_timeout_ms = 1000;
  uint32_t request_timeout_ms = 5000;
  uint32_t reconnect_min_ms = 20;
  uint32_t reconnect_max_ms = 1000;
  // What the connection is called in the node's CLIENT LIST; empty: nothing.
  std::string client_name;
  // An earlier process may have been killed: what it had sent on connections of that name, and the
  // node has not read yet, is thrown away when the first connection is made.
  bool after_crash = false;
  // Who else may serve the node is looked for at each connection; null: nobody is looked for.
  OtherProxies* others = nullptr;
  bool newcomer = false;  // see OtherProxies::OnRival
};

class Link {
 public:
  enum class State : uint8_t { kDown, kConnecting, kHandshake, kUp };

  // `owner` and `pool` must outlive the link. The transport is given before Start.
  Link(LinkOwner* owner, uint32_t index, ChunkPool* pool, LinkOptions options);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void set_transport(LinkTransport* transport) { transport_ = transport; }
  // In effect for the timeouts at once, for the rest with the next connection. The name stays.
  void set_options(LinkOptions options) {
    options.after_crash |= options_.after_crash;
    options_ = std::move(options);
  }

  // Begins to connect. From then on Tick reconnects by itself, with back-off and jitter.
  void Start(uint64_t now_ms);
  // Ends the connection for a reason of the owner's; what is in flight is handed back.
  void Fail(const std::string& reason);
  // Ends it for good.
  void Stop();
  // Time passes: reconnects, and gives up connections and nodes that do not answer.
  // `random` is any number, for the jitter: the first after a failure counts.
  void Tick(uint64_t now_ms, uint32_t random);

  // Sends, in order. Only in state kUp. The bytes are copied, or the chunk is shared.
  void Send(LinkItem* item, std::string_view frame);
  void SendShared(LinkItem* item, Chunk* chunk);

  // --- for the transport ---
  void OnConnected(uint64_t now_ms);
  // Bytes came. They need not outlive the call.
  void OnData(const char* data, size_t size, uint64_t now_ms);
  // A large reply's rest can be read where it will lie: if this is not null, read at most *size
  // bytes to it and say with OnDirect how many came.
  char* DirectSpace(size_t* size);
  void OnDirect(size_t size, uint64_t now_ms);
  // So many bytes of out() were taken off it for the node. While the node has not got the whole of
  // what it is to answer next, that is progress for request_timeout_ms, and for nothing else: a
  // node that takes bytes and does not answer is as silent as ever.
  void OnTaken(size_t bytes, uint64_t now_ms);
  // The connection could not be made, or it ended. `refused`: hard evidence.
  void OnClosed(const std::string& reason, bool refused, uint64_t now_ms);
  OutQueue& out() { return out_; }
  // What there is of an unfinished reply. DropPartial: the rest is read and not kept, and who asked
  // gets an error that begins with `why` (a sentence without a full stop).
  size_t partial_bytes() const { return partial_.capacity(); }
  void DropPartial(std::string_view why);

  State state() const { return state_; }
  bool up() const { return state_ == State::kUp; }
  bool has_transport() const { return transport_ != nullptr; }
  uint32_t index() const { return index_; }
  const std::string& name() const { return options_.name; }
  size_t pending() const { return tail_ - head_; }
  size_t pending_bytes() const { return pending_bytes_; }
  // Since when what is pending waits: the last answer, or the beginning of the waiting.
  uint64_t waiting_since_ms() const { return progress_ms_; }
  // When bytes last came over any of its connections.
  uint64_t heard_ms() const { return heard_ms_; }
  // Calls visit(item, frame) for what is in line (not the handshake), the oldest first, until it
  // returns false, at most `limit` times. It may send on other links.
  template <typename Visit>
  void ForEachPending(size_t limit, Visit visit) const {
    for (size_t i = head_; i != tail_ && limit > 0; ++i, --limit) {
      const Entry& entry = ring_[i & (ring_.size() - 1)];
      if (entry.item != nullptr && !visit(entry.item, entry.frame())) return;
    }
  }
  // Calls replace(item, frame) for all of it; what it returns takes the item's place in line.
  template <typename Replace>
  void ReplacePending(Replace replace) {
    for (size_t i = head_; i != tail_; ++i) {
      Entry& entry = ring_[i & (ring_.size() - 1)];
      if (entry.item != nullptr) entry.item = replace(entry.item, entry.frame());
    }
  }
  const NodeIdentity& identity() const { return identity_; }
  // The node was made a master of its own on purpose: its id from now on.
  void set_run_id(std::string run_id) {
    identity_.run_id = std::move(run_id);
    identity_.is_replica = false;
  }
  const std::string& last_error() const { return last_error_; }
  // No attempt has ended yet since the last time it was up (or since Start).
  bool hopeful() const { return failed_attempts_ == 0; }
  uint64_t connects() const { return connects_; }
  // Places in line, counted over all connections: of the last that was answered (or lost), and of
  // the last that was sent.
  uint64_t answered_place() const { return popped_; }
  uint64_t last_place() const { return popped_ + pending(); }

  // --- while OnLinkLost is called ---
  // The node closed the connection. Else it was given up here, for what the first in line did.
  bool closed_by_node() const { return closed_by_node_; }
  // The node said that it reads no further before it closed: what is lost was not carried out.
  bool rest_unread() const { return rest_unread_; }
  // It was given up because the first in line was not answered within request_timeout_ms.
  bool overdue() const { return overdue_; }
  // It was given up for what a request brought that has been answered with an error.
  bool told_culprit() const { return told_culprit_; }

 private:
  // One request in line.
  struct Entry {
    LinkItem* item = nullptr;
    ChunkRef chunk;
    size_t offset = 0;
    size_t size = 0;
    std::string_view frame() const { return {chunk->data + offset, size}; }
  };
  enum class Step : uint8_t {
    kAuth,
    kSelect,
    kPing,
    kInfo,
    kFsync,
    kFsyncOnRewrite,
    kLimits,
    kClientId,
    kSetName,
    kKillOld,
    kClientList,
    kKillOrphan,
    kRole,
    kSize,
  };

  void Push(LinkItem* item, Chunk* chunk, size_t offset, size_t size) {
    if (tail_ - head_ == ring_.size()) [[unlikely]]
      GrowRing();
    if (head_ == tail_) progress_ms_ = now_ms_;
    Entry& entry = ring_[tail_++ & (ring_.size() - 1)];
    entry.item = item;
    entry.chunk = ChunkRef(chunk);
    entry.offset = offset;
    entry.size = size;
    pending_bytes_ += size;
    if (!flush_wanted_) {
      flush_wanted_ = true;
      transport_->WantFlush();
    }
  }
  void GrowRing();
  Entry Pop();
  void Consume(const Reply& reply);
  uint64_t MostOfReply() const;
  void Keep(std::string_view bytes);
  size_t Skip(const char* data, size_t size);
  void FailReply(const std::string& reason);
  void OnHandshakeReply(std::string_view reply);
  void Down(const std::string& reason, bool refused);
  void KillOldConnection();
  void KillOrphans(std::string_view client_list);
  bool LookForOthers(std::string_view client_list);
  void AskForState();
  void Handshake(Step step, std::vector<std::string_view> args);

  LinkOwner* owner_;
  LinkTransport* transport_ = nullptr;
  LinkOptions options_;
  uint32_t index_;
  State state_ = State::kDown;
  bool started_ = false;
  bool flush_wanted_ = false;
  bool closed_by_node_ = false;
  bool rest_unread_ = false;
  bool told_culprit_ = false;
  bool overdue_ = false;

  OutQueue out_;
  std::vector<Entry> ring_;  // a power of two; [head_, tail_) modulo its size
  size_t head_ = 0;
  size_t tail_ = 0;
  size_t pending_bytes_ = 0;

  ReplyReader reader_;
  ByteBuffer partial_;  // an unfinished reply
  // Of one that is not kept, and what who asked is told.
  std::optional<ReplySkipper> skipper_;
  std::string skipped_error_;
  std::vector<Step> steps_;  // handshake replies still to come, the next one last
  NodeIdentity identity_;
  int64_t client_id_ = 0;  // what the node calls this connection; 0: not known
  // The same of the last connection that was up, and its process, until it is surely over.
  int64_t old_client_id_ = 0;
  std::string old_process_;

  uint64_t now_ms_ = 0;
  uint64_t progress_ms_ = 0;  // when it last answered, or when waiting began
  uint64_t taken_ms_ = 0;     // when bytes of the oldest in line were last taken
  uint64_t heard_ms_ = 0;
  uint64_t attempt_ms_ = 0;
  uint64_t retry_at_ms_ = 0;
  uint64_t jitter_ms_ = 0;  // up to so much more, not drawn yet
  uint32_t failed_attempts_ = 0;
  uint64_t connects_ = 0;
  uint64_t popped_ = 0;
  uint64_t generation_ = 0;  // grows when the connection ends, so that loops notice
  std::string last_error_;

 public:
  // The transport has flushed, or dropped, what was queued: the next Send asks again.
  void FlushDone() { flush_wanted_ = false; }
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_H_
