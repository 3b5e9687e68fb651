// A command that is split: sends its parts, collects their replies, and answers when the last has
// come.

#ifndef GEMEL_PROXY_SESSION_GATHER_H_
#define GEMEL_PROXY_SESSION_GATHER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/shard/request.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/session/merge.h"

namespace gemel {

// Once it is launched it owns itself, and is gone when it has answered. It always answers, since
// every part is answered. Replies that come to more than may be held are dropped, and an error is
// the answer.
class Gather : public RequestSink {
 public:
  // Appends the whole reply to *out; the parts are in the order in which they were added.
  using Finish = std::function<void(const std::vector<PartReply>& parts, std::string* out)>;

  struct Abandon {
    void operator()(Gather* gather) const;
  };
  using Pointer = std::unique_ptr<Gather, Abandon>;

  // `parent` is a reserved place in a session's line; its sink gets the whole reply. If it is
  // destroyed instead of being launched, it has sent nothing, and answers nothing.
  static Pointer Make(Dispatcher* dispatcher, Request* parent, Finish finish);

  void Reserve(size_t parts) { parts_.reserve(parts); }

  // Adds a part for a shard, with its frame. The places are those of its elements (kByKey).
  void AddShard(uint32_t shard, RequestKind kind, const CommandRow* row, std::string_view frame,
                std::vector<uint32_t> places = {});
  // What the part that was added last reads is remembered for its session (CLIENT TRACKING).
  void TrackLast();
  // The same for each shard of a pool.
  void AddEachShard(const Pool& pool, RequestKind kind, const CommandRow* row,
                    std::string_view frame);
  // Adds a part for a shard that may be answered much later (see Dispatcher::SubmitApart).
  void AddApart(uint32_t shard, RequestKind kind, std::unique_ptr<RequestCargo> cargo);
  // Adds a part for a shard that is an order to it.
  void AddOrder(uint32_t shard, ShardOrder order);
  // Adds a part for a worker. Whoever carries the order out writes the answer into it.
  void AddWorker(uint32_t worker, std::unique_ptr<RequestCargo> order);

  // Sends all parts; may answer before it returns.
  static void Launch(Pointer gather);

 private:
  struct Part {
    Request* request = nullptr;
    uint32_t shard = 0;
    bool to_worker = false;
    bool apart = false;
    std::string name;  // of the shard
    std::vector<uint32_t> places;
  };

  Gather(Dispatcher* dispatcher, Request* parent, Finish finish);
  ~Gather() override = default;
  Request* NewPart(std::string_view frame);
  void OnReply(Request* request, const Reply& reply) override;
  void Send();
  void Complete();
  void Merge(std::string* whole);
  void DropParts();

  Dispatcher* dispatcher_;
  Request* parent_;
  Finish finish_;
  std::vector<Part> parts_;
  size_t left_ = 0;
  uint64_t held_ = 0;       // bytes of the replies that have come
  bool too_large_ = false;  // together they are more than may be held
};

using GatherPtr = Gather::Pointer;

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_GATHER_H_
