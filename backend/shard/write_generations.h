// Tells when all writes have ended that were in flight at some moment, whatever came later (as
// grace periods of RCU do: two counters, which change places).

#ifndef GEMEL_BACKEND_SHARD_WRITE_GENERATIONS_H_
#define GEMEL_BACKEND_SHARD_WRITE_GENERATIONS_H_

#include <cstdint>
#include <functional>
#include <utility>

namespace gemel {

// Of one shard, on its thread.
class WriteGenerations {
 public:
  // A write begins; the result is for its End.
  uint8_t Begin() {
    const auto side = static_cast<uint8_t>(now_ & 1);
    ++open_[side];
    return side;
  }
  void End(uint8_t side) { --open_[side]; }

  uint64_t in_flight() const { return open_[0] + open_[1]; }
  // That of the writes that begin now.
  uint64_t now() const { return now_; }
  // Have all writes of that generation and the ones before ended? Ends the generation, if it can:
  // to be asked now and then until it is true.
  bool HaveEnded(uint64_t generation) {
    if (in_flight() == 0) return true;
    if (now_ == generation && open_[(now_ + 1) & 1] == 0) ++now_;
    return now_ > generation + 1 || (now_ == generation + 1 && open_[generation & 1] == 0);
  }

  // `drained` runs once no write is in flight, maybe at once.
  void WhenDrained(std::function<void()> drained) {
    if (in_flight() == 0) {
      drained();
    } else {
      drained_ = std::move(drained);
    }
  }
  void ForgetDrained() { drained_ = nullptr; }
  // To be asked when the End of one is over.
  void TellIfDrained() {
    if (in_flight() != 0 || !drained_) [[likely]]
      return;
    const std::function<void()> drained = std::exchange(drained_, nullptr);
    drained();
  }

 private:
  uint64_t now_ = 0;
  uint64_t open_[2] = {0, 0};
  std::function<void()> drained_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_WRITE_GENERATIONS_H_
