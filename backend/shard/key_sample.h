// Of the requests that pass, some are looked at for their keys: which are asked for most, and which
// are large. What it costs does not depend on the keys or on how many there are.

#ifndef GEMEL_BACKEND_SHARD_KEY_SAMPLE_H_
#define GEMEL_BACKEND_SHARD_KEY_SAMPLE_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/big_keys.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/hot_keys.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// What is told of a key; it may go to another thread.
struct HotKey {
  std::string key;  // as people read it (PrintableKey)
  uint8_t database = 0;
  bool write = false;
  double per_s = 0;  // about so often a second, of late
  double over = 0;   // which may be so much too high
  double part = 0;   // of all of its kind in the shard, 0 to 1
};
struct BigKey {
  std::string key;
  uint8_t database = 0;
  BigKeys::By by = BigKeys::By::kRead;
  uint64_t bytes = 0;
  uint64_t age_ms = 0;  // since it was seen
};
std::string_view BigKeyWord(BigKeys::By by);  // "read", "write", "memory"

// Logic only, the shard's thread.
class KeySample {
 public:
  static constexpr uint32_t kEvery = 64;
  static constexpr uint32_t kEveryLarge = 16;  // of large requests and replies

  explicit KeySample(ShardParts* parts) : parts_(parts) {}

  // --- asked for each request: is it to be looked at? ---
  bool Due(size_t frame_bytes) {
    return --left_ == 0 || (frame_bytes >= BigKeys::kFromBytes && --left_large_ == 0);
  }
  // It is. Before it is sent.
  void Take(const Request& request);
  // A read was answered with so much.
  void OnReply(const Request& request, std::string_view frame, size_t bytes) {
    if (--left_large_ == 0) [[unlikely]]
      TakeReply(request, frame, bytes);
  }
  // The node says that the key takes so much memory.
  void OnMemory(std::string_view name, uint64_t bytes);
  void Tick(uint64_t now_ms);
  void Trim() { keys_of_.Trim(); }

  std::vector<HotKey> Hot() const;
  std::vector<BigKey> Big() const;

 private:
  static constexpr uint64_t kDecayMs = 10 * 1000;
  static constexpr double kDecay = 0.875;  // half of it is left after 52 s

  uint32_t Random(uint32_t every);
  void TakeReply(const Request& request, std::string_view frame, size_t bytes);
  void NoteHot(const FrameKeys::Command& command);
  double Seconds() const;

  ShardParts* parts_;
  uint32_t left_ = 1;
  uint32_t left_large_ = 1;
  uint32_t random_ = 1;
  uint64_t decayed_ms_ = 0;  // 0: no time has passed yet
  double seconds_ = 0;       // that the counts are of, which are worth less the older they are
  HotKeys hot_reads_;
  HotKeys hot_writes_;
  BigKeys big_;
  FrameKeys keys_of_{parts_->table};  // scratch
};

// What the shard answers to a request of kind kReport with that frame: a bulk string, a line for
// each key. What is read of such lines, of several shards, is the next two's.
inline constexpr std::string_view kReportHotKeys = "hot keys";
inline constexpr std::string_view kReportBigKeys = "big keys";
std::string HotKeyLines(const std::vector<HotKey>& keys);
std::string BigKeyLines(const std::vector<BigKey>& keys);
// The bulk string or another reply; of what is none, nothing.
std::vector<HotKey> ReadHotKeyLines(std::string_view reply);
std::vector<BigKey> ReadBigKeyLines(std::string_view reply);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_KEY_SAMPLE_H_
