// One pipelined connection to a node: what is sent keeps its place in line until it is answered,
// and what is lost with the connection is handed back, each with its bytes.
//
// The link is what its owner and its transport see. Its parts own its state: LinkLine what is in
// line, LinkReader what came, LinkHandshake who the node is, LinkTimes since when it waits.
//
// Logic only: a LinkTransport moves the bytes (uv_link.h does, and so does the simulator).

#ifndef GEMEL_BACKEND_LINK_LINK_H_
#define GEMEL_BACKEND_LINK_LINK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "backend/bytes/flushed_queue.h"
#include "backend/link/link_block.h"
#include "backend/link/link_database.h"
#include "backend/link/link_handshake.h"
#include "backend/link/link_item.h"
#include "backend/link/link_line.h"
#include "backend/link/link_options.h"
#include "backend/link/link_reader.h"
#include "backend/link/link_times.h"
#include "backend/link/link_traffic.h"
#include "backend/link/node_identity.h"
#include "backend/link/send_times.h"

namespace gemel {

class Link;

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
  // A message that nothing was asked for: of RESP3 (">"), or on a link of a subscriber. Valid
  // during the call.
  virtual void OnLinkPush(Link* link, std::string_view push) {
    (void)link;
    (void)push;
  }
  // All bytes that came together have been told; of a link that is up, and asked to tell so.
  virtual void OnLinkHeard(Link* link) { (void)link; }
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

// Why a connection ended, while OnLinkLost and OnLinkDown are called.
struct LinkEnd {
  // The node closed the connection. Else it was given up here, for what the first in line did.
  bool by_node = false;
  // The node said that it reads no further before it closed: what is lost was not carried out.
  bool rest_unread = false;
  // It was given up because the first in line was not answered within request_timeout_ms.
  bool overdue = false;
  // It was given up for what a request brought that has been answered with an error.
  bool told_culprit = false;
  // A SELECT was refused (BUSY), and something behind it was carried out all the same: what is lost
  // may have been carried out in `database` instead of its own.
  bool misplaced = false;
  uint8_t database = 0;
};

class Link {
 public:
  enum class State : uint8_t { kDown, kConnecting, kHandshake, kUp };

  // `owner` and `pool` must outlive the link. The transport is given before Start.
  Link(LinkOwner* owner, uint32_t index, ChunkPool* pool, LinkOptions options);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void set_transport(LinkTransport* transport) { out_.set_transport(transport); }
  // In effect for the timeouts at once, for the rest with the next connection. The name stays.
  void set_options(LinkOptions options) {
    options.after_crash |= options_.after_crash;
    options_ = std::move(options);
  }

  // Who wants to know how long answers took; outlives the link. Null: nobody.
  void set_board(AnswerBoard* board) { board_ = board; }
  // How long the node has had what is being answered now. With a board.
  AwayTime Away() { return sent_.Of(line_.answered_place(), *board_->now_us); }

  // Whether the owner's OnLinkHeard is called. A subscriber's always is.
  void TellWhenHeard(bool tell) { tells_when_heard_ = tell; }

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
  FlushedQueue<LinkTransport>& out() { return out_; }
  // What there is of an unfinished reply, and how it is dropped.
  LinkReader& reader() { return reader_; }

  State state() const { return state_; }
  bool up() const { return state_ == State::kUp; }
  // It was up once: something may have been sent over it.
  bool was_up() const { return was_up_; }
  bool has_transport() const { return out_.transport() != nullptr; }
  uint32_t index() const { return index_; }
  const std::string& name() const { return options_.name; }
  const LinkOptions& options() const { return options_; }
  const std::string& last_error() const { return last_error_; }
  // What waits for an answer, and the places in line.
  const LinkLine& line() const { return line_; }
  // Calls replace(item, frame) for all of it; what it returns takes the item's place in line.
  template <typename Replace>
  void ReplacePending(Replace replace) {
    line_.ReplaceEach(replace);
  }
  const LinkTimes& times() const { return times_; }
  // What it counts; the transport times the node's answers there, if somebody wants to know.
  LinkTraffic& traffic() const { return traffic_; }
  const NodeIdentity& identity() const { return handshake_.identity(); }
  // The node was made a master of its own on purpose: its id from now on.
  void set_run_id(std::string run_id) { handshake_.set_run_id(std::move(run_id)); }
  // While OnLinkLost and OnLinkDown are called; rest_unread also from the reply on that says it.
  const LinkEnd& end() const { return end_; }

 private:
  friend class LinkReader;  // calls the next two

  // Around what handles what came.
  void BeginAnswers() {
    if (board_ == nullptr) return;
    sent_.OnHeard(line_.answered_place() + 1, *board_->now_us);
    board_->answering = this;
  }
  void EndAnswers() {
    if (board_ != nullptr) board_->answering = nullptr;
  }
  void Consume(const Reply& reply);
  void FailReply(const std::string& reason);

  // SELECT, whose answer stands in line like one of the handshake, and the places of a block.
  [[gnu::noinline]] void SendSpecial(LinkItem* item, std::string_view frame);
  void Push(LinkItem* item, Chunk* chunk, size_t offset, size_t size) {
    if (line_.empty()) times_.BeginWaiting();
    line_.Push(item, chunk, offset, size);
    out_.WantFlush();
  }
  // No part of Consume: the registers are for that.
  [[gnu::noinline]] void OnOwnReply(const LinkLine::Entry& entry, std::string_view reply);
  [[gnu::noinline]] void ConsumeError(std::string_view error);
  void Down(const std::string& reason, bool refused);

  LinkOwner* owner_;
  LinkOptions options_;
  uint32_t index_;
  State state_ = State::kDown;
  bool was_up_ = false;
  bool started_ = false;
  bool tells_when_heard_ = false;
  LinkDatabase database_;
  LinkBlock block_;
  LinkEnd end_;
  std::string last_error_;

  FlushedQueue<LinkTransport> out_;
  LinkLine line_;
  LinkReader reader_;
  LinkHandshake handshake_;
  LinkTimes times_;
  SendTimes sent_;
  AnswerBoard* board_ = nullptr;
  mutable LinkTraffic traffic_;  // for who looks on: nothing is decided by it
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_H_
