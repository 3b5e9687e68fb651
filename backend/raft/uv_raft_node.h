// A voter: the log and the registers on this member's disk, kept equal with those of the other
// voters by libraft. It answers members that ask, and its own.

#ifndef GEMEL_BACKEND_RAFT_UV_RAFT_NODE_H_
#define GEMEL_BACKEND_RAFT_UV_RAFT_NODE_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/raft/raft_messages.h"
#include "config/address.h"

namespace gemel {

// One loop, one thread. It goes on closing after it is destroyed: the loop must turn until its
// handles are closed.
class UvRaftNode {
 public:
  struct Options {
    std::string fleet;
    std::string secret;
    std::string folder;  // made if it is not there
    std::string voter;   // the address that the others know this one by
    // All that found it, this one too: 3 or 5. Empty: it votes once those that do have added it.
    std::vector<std::string> voters;
    Address listen;              // usually `voter`
    bool tls = false;            // members speak it: as they do to each other else (openssl_tls.h)
    uint32_t election_ms = 100;  // so long, or up to twice as long, a dead leader is waited for
    uint32_t heartbeat_ms = 20;
    uint32_t snapshot_after = 1024;
    // A sentence for people without a full stop: it has failed; its disk takes nothing, or does
    // again. May be null.
    std::function<void(const std::string& text)> on_warning;
  };
  using Answered = std::function<void(const RaftAnswer& answer)>;

  // Reads what the disk has. Null and *error, a sentence without a full stop.
  static std::unique_ptr<UvRaftNode> Open(uv_loop_t* loop, Options options, std::string* error);
  ~UvRaftNode();
  UvRaftNode(const UvRaftNode&) = delete;
  UvRaftNode& operator=(const UvRaftNode&) = delete;

  // Answered once, maybe inside the call, and never after its end.
  void Ask(const RaftAsk& ask, Answered answered);
  // Runs once a loop turn in which registers have changed. Null: nobody.
  void set_on_change(std::function<void()> on_change);

  bool leads() const;
  // It is one of the voters that were agreed last, as far as it knows.
  bool votes() const;
  // Its number of the last command that it knows to be agreed.
  uint64_t last_applied() const;
  // It stopped by itself, for that reason; empty: it works.
  const std::string& failure() const;

 private:
  class Core;
  explicit UvRaftNode(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_UV_RAFT_NODE_H_
