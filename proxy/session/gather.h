// A command that is split: sends its parts, collects their replies, and answers when the last has
// come.

#ifndef GEMEL_PROXY_SESSION_GATHER_H_
#define GEMEL_PROXY_SESSION_GATHER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backend/shard/request.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/session/merge.h"

namespace gemel {

// Owns itself: made by Make, gone when it has answered. It always answers, since every part is
// answered.
class Gather : public RequestSink {
 public:
  // Appends the whole reply to *out; the parts are in the order in which they were added.
  using Finish = std::function<void(const std::vector<PartReply>& parts, std::string* out)>;

  // `parent` is a reserved place in a session's line; its sink gets the whole reply.
  static Gather* Make(Dispatcher* dispatcher, Request* parent, Finish finish);

  // Adds a part for a shard, or for a worker, with its frame. The places are those of its elements
  // (kByKey).
  void AddShard(uint32_t shard, RequestKind kind, const CommandRow* row, std::string_view frame,
                std::vector<uint32_t> places = {});
  void AddWorker(uint32_t worker, std::string_view frame);

  // Sends all parts; may answer before it returns. The gather must not be touched after it.
  void Launch();

 private:
  struct Part {
    Request* request;
    uint32_t shard;
    bool to_worker;
    std::string name;  // of the shard
    std::vector<uint32_t> places;
  };

  Gather(Dispatcher* dispatcher, Request* parent, Finish finish);
  ~Gather() override = default;
  Request* NewPart(std::string_view frame);
  void OnReply(Request* request, const Reply& reply) override;
  void Complete();

  Dispatcher* dispatcher_;
  Request* parent_;
  Finish finish_;
  std::vector<Part> parts_;
  size_t left_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_GATHER_H_
