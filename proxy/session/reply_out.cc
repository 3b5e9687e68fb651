#include "proxy/session/reply_out.h"

#include <string>
#include <utility>

namespace gemel {

namespace {

// Replies from here on are handed over instead of copied, where that is possible.
constexpr size_t kLargeReply = ChunkPool::kStandard;

}  // namespace

void ReplyOut::AppendReply(const Reply& reply, Resp2Form form) {
  if (!ReadsSameInResp2(reply.bytes, form)) {
    AppendConverted(reply, form);
  } else if (reply.buffer != nullptr && reply.bytes.size() >= kLargeReply) {
    AppendChunk(context_->chunks->Adopt(std::move(*reply.buffer)));
  } else {
    Append(reply.bytes);
  }
}

// A large one is not copied: what is the same in both protocols goes out as it lies.
void ReplyOut::AppendConverted(const Reply& reply, Resp2Form form) {
  class Out : public Resp2Out {
   public:
    Out(OutQueue* out, Chunk* chunk) : out_(out), chunk_(chunk) {}
    void Same(std::string_view part) override {
      if (chunk_ == nullptr || part.size() < kLargeReply) return Made(part);
      const size_t begin = static_cast<size_t>(part.data() - chunk_->data);
      out_->AppendPart(chunk_, begin, begin + part.size());
    }
    void Made(std::string_view bytes) override { out_->Append(bytes); }

   private:
    OutQueue* out_;
    Chunk* chunk_;
  };
  if (reply.bytes == "_\r\n" && form == Resp2Form::kPlain) {
    Append("$-1\r\n");  // what a cache says most of that is not the same
  } else if (reply.bytes.size() < kLargeReply) {
    std::string& text = context_->text;
    text.clear();
    AppendInResp2(reply.bytes, form, &text);
    Append(text);
  } else if (reply.buffer == nullptr) {
    Out out(this, nullptr);
    WriteInResp2(reply.bytes, form, &out);
  } else {
    const ChunkRef held(context_->chunks->Adopt(std::move(*reply.buffer)));
    Out out(this, held.get());
    WriteInResp2({held->data, held->size}, form, &out);
  }
}

}  // namespace gemel
