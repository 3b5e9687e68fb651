// Any bytes from a node: no crash, bytes that come in pieces give the same replies as bytes that
// come at once, and each of them can be told to a client of RESP2.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp2_form.h"

namespace {

using gemel::ReplyReader;

constexpr gemel::ReplyLimits kLimits = {.max_bulk = 600};

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckInResp2(std::string_view reply) {
  using gemel::Resp2Form;
  for (const Resp2Form form : {Resp2Form::kPlain, Resp2Form::kNullArray, Resp2Form::kLastNullArray,
                               Resp2Form::kFlatPairs, Resp2Form::kPairs, Resp2Form::kNullOfCount}) {
    std::string out;
    gemel::AppendInResp2(reply, form, &out);
    // (Behind a carriage return stands whatever a node puts there.)
    Check(!gemel::ReadsSameInResp2(reply, form) || out.size() == reply.size());
    // One whole reply, of which nothing else is to be made any more.
    ReplyReader reader;
    Check(reader.Read(out.data(), out.size(), {}) == ReplyReader::Status::kReply);
    Check(reader.size() == out.size());
    Check(gemel::ReadsSameInResp2(out, Resp2Form::kPlain));
  }
}

struct Outcome {
  std::vector<std::string> replies;
  std::string error;
  bool operator==(const Outcome&) const = default;
};

// `step` bytes more at a time, in memory of exactly that size, for AddressSanitizer to watch.
Outcome Read(std::string_view stream, size_t step) {
  Outcome outcome;
  ReplyReader reader;
  size_t begin = 0;
  size_t end = 0;
  while (end < stream.size()) {
    end = std::min(stream.size(), end + step);
    for (;;) {
      const std::vector<char> memory(stream.begin() + static_cast<ptrdiff_t>(begin),
                                     stream.begin() + static_cast<ptrdiff_t>(end));
      if (memory.empty()) break;
      const ReplyReader::Status status = reader.Read(memory.data(), memory.size(), kLimits);
      if (status == ReplyReader::Status::kNeedMore) {
        Check(reader.needed() > memory.size());
        break;
      }
      if (status == ReplyReader::Status::kError) {
        outcome.error = reader.error();
        Check(!outcome.error.empty());
        return outcome;
      }
      Check(reader.size() > 0 && reader.size() <= memory.size());
      const std::string_view reply(memory.data(), reader.size());
      CheckInResp2(reply);
      std::vector<std::string_view> elements;
      size_t total = 0;
      if (gemel::SplitArray(reply, &elements)) {
        for (const std::string_view element : elements) {
          Check(element.data() >= reply.data() &&
                element.data() + element.size() <= reply.data() + reply.size());
          total += element.size();
        }
        Check(total < reply.size());
      }
      gemel::ReplyText(reply);
      outcome.replies.emplace_back(reply);
      begin += reader.size();
      reader.Next();
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = Read(stream, stream.size() + 1);
  Check(Read(stream, 1) == whole);
  Check(Read(stream, 1 + data[0]) == whole);
  return 0;
}
