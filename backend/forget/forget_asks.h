// The requests that a sweep and its gate make, kept for the next ones.

#ifndef GEMEL_BACKEND_FORGET_FORGET_ASKS_H_
#define GEMEL_BACKEND_FORGET_FORGET_ASKS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/shard_ports.h"

namespace gemel {

struct ForgetAsk : Request {
  enum class What : uint8_t { kScan, kSweepDelete, kAccessDelete, kProve };
  What what = What::kScan;
  uint64_t round = 0;
  uint64_t number = 0;  // of a deletion, in the order of sending
  uint32_t copy = 0;
  uint64_t connection = 0;
  std::vector<std::string> marked;  // keys with a mark that waits for this deletion
  std::string text;                 // the frame
};

// Owns them; to be destroyed when the shard will answer none of them any more.
class ForgetAsks {
 public:
  // All of them are answered to `sink`.
  explicit ForgetAsks(RequestSink* sink);
  ForgetAsks(const ForgetAsks&) = delete;
  ForgetAsks& operator=(const ForgetAsks&) = delete;

  // To be given back by Free.
  ForgetAsk* New(ForgetAsk::What what, uint64_t round, const std::vector<std::string_view>& args);
  void Free(ForgetAsk* ask);

 private:
  const CommandRow* RowOf(ForgetAsk::What what) const;

  RequestSink* sink_;
  const CommandRow* unlink_;
  const CommandRow* scan_;
  const CommandRow* ping_;
  std::vector<std::unique_ptr<ForgetAsk>> asks_;
  std::vector<ForgetAsk*> free_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FORGET_FORGET_ASKS_H_
