#include "proxy/session/byte_pipe.h"

#include <algorithm>

namespace gemel {

namespace {

// So much is encoded before it is known that it can be sent. What waits beyond it waits in the
// session, whose limits count it.
constexpr size_t kAhead = 64 * 1024;

}  // namespace

struct BytePipe::Filtered {
  std::unique_ptr<ByteFilter> filter;
  ByteBuffer plain;  // scratch
  OutQueue wire;
};

BytePipe::BytePipe(Session* session, std::unique_ptr<ByteFilter> filter) : session_(session) {
  if (filter == nullptr) return;
  filtered_.reset(
      new Filtered{std::move(filter), ByteBuffer(), OutQueue(session->context().chunks)});
}

BytePipe::~BytePipe() = default;

void BytePipe::DecodeBytes(std::string_view bytes) {
  const bool goes_on = filtered_->filter->Decode(bytes, &filtered_->plain, &filtered_->wire);
  if (!filtered_->wire.empty()) session_->replies().out().WantFlush();
  PassPlain();
  if (!goes_on) session_->Drain();
}

void BytePipe::DecodeEnd() {
  filtered_->filter->DecodeEnd(&filtered_->plain);
  PassPlain();
}

void BytePipe::PassPlain() {
  ByteBuffer& plain = filtered_->plain;
  if (plain.empty()) return;
  session_->OnData(plain.data(), plain.size());
  plain.Clear(kAhead);
}

OutQueue& BytePipe::EncodeSome() {
  OutQueue& out = session_->replies().out();
  OutQueue& wire = filtered_->wire;
  while (!out.empty() && wire.bytes() < kAhead) {
    size_t taken = 0;
    out.ForEach([&](const char* data, size_t size) {
      taken = std::min(size, kAhead);
      filtered_->filter->Encode({data, taken}, &wire);
      return false;
    });
    out.Consume(taken);
  }
  return wire;
}

bool BytePipe::MoreToEncode() const {
  return filtered_->wire.empty() && !session_->replies().out().empty();
}

bool BytePipe::AllSent() const { return filtered_->wire.empty(); }

}  // namespace gemel
