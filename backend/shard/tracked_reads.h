// Reads in flight whose clients track what they read: what changes meanwhile they may have seen or
// not, so that each is told of that behind its reply, when it has cached the value.

#ifndef GEMEL_BACKEND_SHARD_TRACKED_READS_H_
#define GEMEL_BACKEND_SHARD_TRACKED_READS_H_

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/shard/request.h"

namespace gemel {

// Logic only, the shard's thread.
class TrackedReads {
 public:
  // One that has been answered.
  struct Landed {
    uint32_t session;
    std::vector<std::string> keys;
    std::vector<bool> changed;  // by key
  };
  using OnLanded = std::function<void(const Landed&)>;

  explicit TrackedReads(OnLanded on_landed) : on_landed_(std::move(on_landed)) {}
  TrackedReads(const TrackedReads&) = delete;
  TrackedReads& operator=(const TrackedReads&) = delete;

  bool empty() const { return flights_.empty(); }
  // Its answer passes here from now on. `number`: its place among reads and writes. `changed`: what
  // it reads counts as changed already.
  void Begin(Request* request, uint64_t number, std::vector<std::string> keys, bool changed);
  bool Has(std::string_view key) const { return by_key_.contains(key); }
  // The key changed, by something that comes in front of those reads that are from `before` on; for
  // all clients but that one.
  void OnChanged(std::string_view key, uint64_t before, uint32_t but = 0);
  // Any key may have.
  void OnAllChanged(uint64_t before);
  // All go to another process unanswered, to be begun there: each is kTracked again.
  void ReleaseAll();

 private:
  struct Flight : RequestSink {
    void OnReply(Request* request, const Reply& reply) override {
      owner->Land(this, request, reply);
    }
    void OnHeld(int64_t bytes) override { sink->OnHeld(bytes); }
    bool Wanted() const override { return sink->Wanted(); }

    TrackedReads* owner = nullptr;
    Request* request = nullptr;
    RequestSink* sink = nullptr;  // the request's own
    uint64_t number = 0;
    Landed landed;
    std::list<Flight>::iterator self;
  };
  struct Place {
    Flight* flight;
    size_t key;
  };

  void Land(Flight* flight, Request* request, const Reply& reply);

  OnLanded on_landed_;
  std::list<Flight> flights_;
  std::unordered_multimap<std::string_view, Place> by_key_;  // the names are the flights' own
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_TRACKED_READS_H_
