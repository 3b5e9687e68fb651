#include "backend/shard/read_sample.h"

#include <bit>

#include "backend/keys/key_name.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr uint32_t kTouchBatch = 64;
constexpr size_t kBatchBytes = 8192;  // so that it is no command that takes long
// Frames that are longer are not looked through for a key.
constexpr size_t kLongestKey = 1024;

}  // namespace

void ReadSample::set_told(CopyMask copies) {
  if (copies == told_) return;
  told_ = copies;
  refuses_ = 0;
  left_ = told_ == 0 ? kNever : kEvery;
  if (told_ != 0) return;
  keys_.clear();
  count_ = 0;
  read_from_ = 0;
}

// Not every eighth, or a client that reads in a rhythm would have always the same ones told.
void ReadSample::Take(const Request& request) {
  random_ = random_ * 1664525u + 1013904223u;
  left_ = 1 + static_cast<int64_t>((random_ >> 16) % (2 * kEvery - 1));
  if (request.frame.size() > kLongestKey || request.block) return;
  if (!keys_of_.Look(request)) return;
  if (request.database != item_.database) {
    if (count_ > 0) Flush();
    item_.database = request.database;
  }
  AppendBulk(&keys_, KeyOf(keys_of_.key(0)));
  read_from_ |= request.tried;
  if (++count_ == kTouchBatch || keys_.size() >= kBatchBytes) Flush();
}

void ReadSample::Tick() {
  if (count_ > 0) Flush();
}

// What cannot be told now is told to nobody later: others will be read.
void ReadSample::Flush() {
  const Copies& copies = *parts_->copies;
  CopyMask to = told_ & copies.readable() & ~waiting_ & ~refuses_;
  // One that all of them were read from knows them.
  if (std::has_single_bit(read_from_)) to &= ~read_from_;
  if (to != 0) {
    frame_.clear();
    AppendArrayHeader(&frame_, static_cast<int64_t>(count_) + 1);
    AppendBulk(&frame_, "TOUCH");
    frame_ += keys_;
    touched_ += count_;
    waiting_ |= to;
    ForEachCopy(to, [&](uint32_t copy) { parts_->copies->link(copy).Send(&item_, frame_); });
  }
  keys_.clear();
  count_ = 0;
  read_from_ = 0;
}

void ReadSample::OnReply(uint32_t copy, std::string_view reply) {
  waiting_ &= ~Bit(copy);
  // A user that may not is not asked on and on.
  if (reply.starts_with("-NOPERM") || reply.starts_with("-ERR")) refuses_ |= Bit(copy);
}

}  // namespace gemel
