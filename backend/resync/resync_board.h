// All resyncs of the process: how many may run at a time, and what those that run say of
// themselves. Shared by all workers.

#ifndef GEMEL_BACKEND_RESYNC_RESYNC_BOARD_H_
#define GEMEL_BACKEND_RESYNC_RESYNC_BOARD_H_

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/resync/resync_progress.h"

namespace gemel {

class ResyncBoard {
 public:
  struct Running {
    std::string shard;
    std::string source;  // the node that is copied from
    std::string copy;    // and the one that it is copied to
    bool copying;        // else only handed over, which is no burden
    bool by_keys;        // not by REPLICAOF
    ResyncProgress progress;
  };
  struct Totals {
    uint64_t done = 0;
    uint64_t put_off = 0;  // attempts that came to nothing
    uint64_t pauses = 0;   // of writes, for a hand-over, also for one that was given up
    uint64_t last_pause_ms = 0;
    uint64_t longest_pause_ms = 0;
  };

  explicit ResyncBoard(uint32_t max_parallel) : max_parallel_(max_parallel) {}

  // A resync's place; it ends with it.
  class Place {
   public:
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    void Show(const ResyncProgress& progress);
    // Writes were paused for so long.
    void Paused(uint64_t pause_ms);
    // How it ended; before that it counts as put off.
    void Done();

   private:
    friend class ResyncBoard;
    Place(ResyncBoard* board, std::list<Running>::iterator running)
        : board_(board), running_(running) {}
    ResyncBoard* board_;
    std::list<Running>::iterator running_;
    bool done_ = false;
  };

  // Null while as many copy as may, or while one of those uses either node; *why says which. One
  // that copies nothing need not wait. Those that copy key by key, which may take long, are counted
  // for themselves and take no place of others. All functions may be called on any thread.
  std::unique_ptr<Place> Take(const std::string& shard, const std::string& source,
                              const std::string& copy, bool copying, std::string* why,
                              bool by_keys = false);

  // Those that copy already go on.
  void set_max_parallel(uint32_t max_parallel);
  std::vector<Running> running() const;
  Totals totals() const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  uint32_t max_parallel_;
  std::list<Running> running_;
  Totals totals_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_BOARD_H_
