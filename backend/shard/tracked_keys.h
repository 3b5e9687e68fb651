// CLIENT TRACKING at the shard's owner, which every write of the shard passes: which clients are to
// be told that a key changed that they have read, or that begins with a prefix of theirs.
//
// A read's keys are remembered when it is answered, if nothing changed them while it was in flight;
// else its client is told at once, behind the reply (tracked_reads.h). A write changes its keys
// when the first copy that counts has answered it: reads that were sent before it may have missed
// it, all others stand behind it in every copy's line. Who wrote it is told behind its own reply.
// What a write does not do by its reply (CommandRow::no_effect) it is told of to nobody, but a
// script's error says nothing. Where it is not known what came to pass, or whose data count from
// now on, every client of the shard is told that all keys may have changed. So it is while a node
// cannot tell what expires there: what is read meanwhile is told of at once.
// Source: tracking.c of Redis 7.0.

#ifndef GEMEL_BACKEND_SHARD_TRACKED_KEYS_H_
#define GEMEL_BACKEND_SHARD_TRACKED_KEYS_H_

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/op.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"
#include "backend/shard/tracked_reads.h"
#include "backend/shard/tracking_sink.h"
#include "backend/shard/tracking_table.h"

namespace gemel {

// Of a request of kind kTracking: that session tracks from now on, as this says and as nothing did
// before, or does not any more. Answered with OK, once the nodes tell what expires or cannot soon.
struct TrackingCargo : RequestCargo {
  uint32_t worker = 0;
  uint32_t session = 0;
  bool on = false;
  bool noloop = false;                // it is not told of keys that it writes itself
  std::vector<std::string> prefixes;  // any: of keys that begin so, and of no others
};

// Logic only, the shard's thread.
class TrackedKeys {
 public:
  explicit TrackedKeys(ShardParts* parts);

  // Nobody tracks anything here.
  bool idle() const { return clients_.empty(); }
  // What the nodes remove by themselves is to be heard, also where there is but one.
  bool wants_removals() const { return wants_removals_; }
  // Takes a request of kind kTracking.
  void Submit(Request* request);
  // One of kind kTracked is about to be sent.
  void Begin(Request* request);
  void Tick(uint64_t now_ms);
  void Stop();
  // See TrackedReads::ReleaseAll.
  void ReleaseReads() { reads_.ReleaseAll(); }

  // --- writes; with Op::tracked it is told of what follows the first ---
  void OnWrite(Op* op, const Request& request);
  // A copy that counts has answered.
  void OnExecuted(const Op* op, std::string_view reply);
  // Its client has the answer; or the one that it may have been carried out.
  void OnAnswer(const Op* op, std::string_view reply);
  void OnUnknown(const Op* op);
  // Without an answer before it is not known what came of it.
  void OnEnd(const Op* op);

  // --- what changes keys otherwise ---
  // A node removed it,
  void OnChanged(std::string_view name);
  // or it was made equal by state, on copies that are read from.
  void OnRepaired(std::string_view name) {
    if (!idle()) OnChanged(name);
  }
  // It is not known which: other data count now.
  void OnAllChanged();
  // An edit is in effect.
  void OnRoles();
  // A node tells of what it removes, or does not any more.
  void LookWhetherHeard();

 private:
  struct Client {
    uint32_t worker = 0;
    bool noloop = false;
    std::vector<std::string> prefixes;
  };
  // What one command of a write changes.
  struct Touch {
    size_t element = 0;  // of EXEC's reply
    const CommandRow* row = nullptr;
    NoEffect no_effect = NoEffect::kNever;
    bool all = false;               // every key
    std::vector<std::string> keys;  // those that anybody tracks
    bool told = false;              // to all but who wrote it
    std::vector<std::string> own;   // of these that one is to be told
  };
  struct Write {
    bool block = false;
    bool answered = false;
    uint32_t session = 0;
    uint64_t number = 0;
    std::vector<Touch> touches;
  };
  struct Waiting {
    Request* request;
    uint64_t until_ms;
  };

  void Register(const TrackingCargo& cargo);
  void Unregister(uint32_t session);
  bool IsTracked(std::string_view key) const;
  bool Hears() const;
  void Settle(uint64_t now_ms);
  void TellThoseOfPrefixes();

  void Land(const TrackedReads::Landed& landed);
  void KeepWithinLimit();
  void OnCommand(const FrameKeys::Command& command, size_t element, Write* write);
  // `reply`: empty if it is not known. `last`: nothing better will be known.
  void Decide(Write* write, std::string_view reply, bool last);
  static bool HadEffect(const Touch& touch, bool block, std::string_view whole,
                        std::string_view element);
  void Tell(Touch* touch, const Write& write, bool last);
  void TellOwn(Touch* touch, uint32_t session);
  void TellAll(uint32_t but, uint64_t before);
  void TellPrefixes(std::string_view key, uint32_t writer, TrackingAudience audience);
  void TellKey(uint32_t session, std::string_view key);

  ShardParts* parts_;
  TrackingSink* sink_;
  TrackingTotals own_totals_;  // where the process has none
  TrackingTotals* totals_;
  std::unordered_map<uint32_t, Client> clients_;
  // Who tracks the prefix: how many of each worker's clients.
  std::map<std::string, std::map<uint32_t, uint32_t>, std::less<>> prefixes_;
  TrackingTable table_;
  TrackedReads reads_;
  uint64_t number_ = 0;  // of the last read or write
  std::unordered_map<const Op*, Write> writes_;
  std::list<Waiting> waiting_;
  bool heard_ = false;
  bool wants_removals_ = false;
  uint64_t used_ms_ = 0;
  uint32_t random_ = 0x9e3779b9u;
  uint32_t primary_ = 0;
  CopyMask in_sync_ = 0;
  FrameKeys frame_{parts_->table};
  Figure told_{parts_->figures, "keys_invalidated",
               "Times that a client was told of a key that it had read"};
  Figure doubts_{parts_->figures, "tracking_doubts",
                 "Times that all who track were told that any key may have changed"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_TRACKED_KEYS_H_
