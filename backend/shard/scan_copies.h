// A whole copy without REPLICAOF, where that is refused or comes to nothing: key by key, while
// clients go on.
//
// It is the short way back (way_back.h) with every key as the journal. The copy joins: it is sent
// all writes. Then it is scanned, and what the primary does not have is deleted; the primary is
// scanned, and every key is copied; and the copy is scanned once more. The invariant on the way is
//   at each point of the order a key that is not in the journal is equal on both copies, or neither
//   was written nor was it named, since the copy joined, by a scan that is to name it
// kept by putting into the journal, before they are sent, the keys of every write, for a key that
// no scan has passed may be different, and a write of several spreads that. What no scan names, and
// nobody wrote, neither copy has: SCAN names all that is there from its beginning to its end. A key
// of the copy that the primary has is passed over, for the primary's scan names it; unless it
// expires there before that, and therefore the copy is scanned again at the end.
//
// After the last scan the usual invariant of a joining copy holds, and the journal is worked off.
// The keys of writes wait until then (a hot key would be copied again and again); those that were
// scanned are repaired at once and fetched only as fast as that, so that they take little memory.
//
// A cursor belongs to one process, and what is unscanned is known to nobody else: if a connection
// is lost, the primary changes, or the journal overflows, all begins anew.

#ifndef GEMEL_BACKEND_SHARD_SCAN_COPIES_H_
#define GEMEL_BACKEND_SHARD_SCAN_COPIES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/scan_copy.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class ScanCopies {
 public:
  explicit ScanCopies(ShardParts* parts) : parts_(parts) {}

  void AddCopy(uint32_t copy);
  // From now on a copy that wants a resync is made equal key by key, in the shard's order, and then
  // marked in sync. False if that is not possible now, and *why. `calm`: what was sent on an
  // earlier connection of that node is surely over, though it could not be asked.
  bool Begin(uint32_t copy, std::string* why, bool calm);
  ScanStatus StatusOf(uint32_t copy) const;
  bool IsCopying(uint32_t copy) const { return copies_[copy].scan != nullptr; }
  // Goes on with the scans as far as there is room for what they find. It may end the copying.
  void Step(uint32_t copy);
  // Keys that the scan has named wait to be repaired, unless they are by now.
  bool HasBatch(uint32_t copy) const {
    const ScanCopy* scan = copies_[copy].scan.get();
    return scan != nullptr && !scan->batch.empty();
  }
  // Calls take(key) for keys of the copy's journal, in the order in which they are to be repaired,
  // until it returns false.
  void ForEachToRepair(uint32_t copy, const std::function<bool(const std::string&)>& take);

  // It ends without success.
  void End(uint32_t copy, const std::string& why) { copies_[copy].end = why; }
  // It is not known any more what the copy has right.
  void OnForgotten(uint32_t copy);
  // Copies that are in sync now are done with.
  void DropDone();
  // A key of a joining copy is too big to be copied by itself.
  void OnKeyTooBig(uint32_t copy, const std::string& key, const std::string& why);

  void OnReply(const Op& op, std::string_view reply);
  void OnLost(const Op& op);

 private:
  struct State {
    std::unique_ptr<ScanCopy> scan;
    std::string end;  // why the last one ended
  };
  void Ask(uint32_t copy, uint32_t to, uint8_t what, size_t item, uint8_t database,
           std::string_view frame);
  ScanCopy* ScanOf(const Op& op, uint32_t* copy);
  std::string Take(uint32_t copy, ScanCopy* scan, const Op& op, std::string_view reply);
  void ToRepairNext(uint32_t copy, std::string_view key);
  // The phase has ended: everything that may be wrong is known after the last one.
  void NextPhase(uint32_t copy);

  ShardParts* parts_;
  std::vector<State> copies_;
  uint32_t begun_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SCAN_COPIES_H_
