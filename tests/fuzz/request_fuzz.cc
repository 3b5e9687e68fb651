// Any bytes from a client: no crash, every frame is what its arguments say, and bytes that come in
// pieces give the same commands as bytes that come at once.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace {

using gemel::RequestReader;

// Small enough for an input to reach them; max_inline is not, since Redis itself sees a line that
// is too long by what has arrived so far.
constexpr gemel::RequestLimits kLimits = {
    .max_bulk = 600, .max_args = 40, .max_inline = 64 * 1024, .max_request = 1500};

void Check(bool holds) {
  if (!holds) std::abort();
}

// What a reader makes of a stream: each command written out, and how it ended.
struct Outcome {
  std::vector<std::string> commands;
  std::string error;
  bool operator==(const Outcome&) const = default;
};

void CheckCommand(const RequestReader& reader, const std::vector<std::string_view>& args) {
  Check(!args.empty());
  std::vector<std::string_view> again;
  gemel::SplitFrame(reader.frame(), &again);
  Check(again == args);
}

// `step` bytes more at a time, in memory of exactly that size, for AddressSanitizer to watch.
Outcome Read(std::string_view stream, size_t step) {
  Outcome outcome;
  RequestReader reader;
  std::vector<std::string_view> args;
  size_t begin = 0;
  size_t end = 0;
  while (end < stream.size()) {
    end = std::min(stream.size(), end + step);
    for (;;) {
      const std::vector<char> memory(stream.begin() + static_cast<ptrdiff_t>(begin),
                                     stream.begin() + static_cast<ptrdiff_t>(end));
      if (memory.empty()) break;
      const RequestReader::Status status =
          reader.Read(memory.data(), memory.size(), kLimits, &args);
      if (status == RequestReader::Status::kNeedMore) break;
      if (status == RequestReader::Status::kError) {
        outcome.error = reader.error();
        Check(!outcome.error.empty());
        return outcome;
      }
      Check(reader.consumed() > 0 && reader.consumed() <= memory.size());
      if (status == RequestReader::Status::kCommand) {
        CheckCommand(reader, args);
        std::string command;
        gemel::AppendCommand(&command, args);
        outcome.commands.push_back(std::move(command));
      }
      begin += reader.consumed();
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
  std::vector<std::string> words;
  gemel::SplitLine(stream, &words);
  return 0;
}
