// WATCH: which keys of the shard sessions watch, and whether they were touched since. Every write
// of a shard passes its owner, so that needs nothing of the nodes; and what a session forgets, or
// that it is gone, is found on its ticket.
//
// A write touches its keys if it changed something, which is known from the row and the reply
// (CommandRow::no_effect). While it is not answered that is undecided, and an EXEC that depends on
// it waits. That a key expires is the session's to find out (proxy/session/state/watched_keys.h).
// Source: multi.c of Redis 7.0 (touchWatchedKey, touchAllWatchedKeysInDb).

#ifndef GEMEL_BACKEND_SHARD_WATCHES_H_
#define GEMEL_BACKEND_SHARD_WATCHES_H_

#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/command/other_database.h"
#include "backend/figures/figures.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/op.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Between a session and the owner of the shard whose keys it watches. Any thread.
struct WatchTicket {
  std::atomic<bool> dropped = false;  // the session does not ask any more
  // Whoever owned the shard does not any more: what was touched since is not known, and counts as
  // touched.
  std::atomic<bool> lost = false;
  // Of a shard elsewhere, its worker's own: the peer link to who knows it.
  const void* link = nullptr;
};

// Of a request of kind kWatch: its keys are watched from then on, for that ticket; and of a guarded
// one (Request::guarded): it is carried out if none of them was touched.
struct WatchCargo : RequestCargo {
  std::shared_ptr<WatchTicket> ticket;
  // Guarded: the names of those that were there when they began to be watched. A FLUSHALL does not
  // touch the others.
  std::vector<std::string> existed;
};

// Logic only, the shard's thread.
class Watches {
 public:
  explicit Watches(ShardParts* parts) : parts_(parts) {}
  // What it knows is lost: another owner of the shard begins with nothing.
  ~Watches();
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  bool idle() const { return watches_.empty() && undecided_.empty(); }
  // Its keys are watched for its ticket, beside those that were before.
  void Begin(const Request& request);
  // A guarded request: a write that it depends on is not answered yet. (Refresh follows.)
  bool MustWait(const Request& request);
  // Was any of its keys touched? Then nothing is watched for its ticket any more; else until it is
  // answered.
  bool IsTouched(const Request& request);

  // A write is in flight,
  void OnWrite(const Op* op, const Request& request);
  // has got that answer, or the answer that it may have been carried out,
  void OnAnswer(const Op* op, std::string_view reply);
  void OnUnknown(const Op* op);
  // and is over. Without an answer it has not been carried out.
  void OnEnd(const Op* op);
  // A write that was answered has changed the key, too.
  void OnKeyTold(std::string_view key) { OnEvicted(key); }
  // A node evicted the key.
  void OnEvicted(std::string_view key);
  // Data was lost: what there is now is not what it was.
  void TouchAll();
  // The shard goes to another owner: all of it is lost, and says so.
  void LoseAll();
  // Now and then: forgets what nobody asks for any more.
  void Tick(uint64_t now_ms);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  struct Watch {
    std::shared_ptr<WatchTicket> ticket;
    bool touched = false;
    uint32_t undecided = 0;  // writes
    std::bitset<kMostDatabases> emptied;
    std::vector<std::string> keys;
  };
  using WatchPtr = std::shared_ptr<Watch>;
  // What one command of a write may touch.
  struct Touch {
    size_t element = 0;  // of EXEC's reply
    NoEffect no_effect = NoEffect::kNever;
    std::vector<WatchPtr> watches;
  };
  struct Write {
    bool block = false;
    bool answered = false;
    std::vector<Touch> touches;
    WatchPtr own;  // of a guarded one: it is over with it, and not touched by it
  };

  WatchPtr Find(const Request& request) const;
  void OnCommand(const FrameKeys::Command& command, size_t element, Write* write);
  void Decide(Write* write, std::string_view reply);
  void OnWholeDatabase(const FrameKeys::Command& command);
  static void DecideOne(const Touch& touch, bool touched);
  void Forget(const WatchPtr& watch);

  ShardParts* parts_;
  std::unordered_map<const WatchTicket*, WatchPtr> watches_;
  std::unordered_map<std::string, std::vector<WatchPtr>, Hash, std::equal_to<>> keys_;
  std::unordered_map<const Op*, Write> undecided_;
  bool waited_for_ = false;  // somebody waits for one of them
  uint64_t swept_ms_ = 0;
  FrameKeys frame_{parts_->table};
  Figure touched_{parts_->figures, "transactions_touched",
                  "Transactions that were not carried out, as a watched key was touched"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_WATCHES_H_
