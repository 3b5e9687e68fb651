// What became of the reloads, for PROXY STATUS and INFO.

#ifndef GEMEL_PROXY_RELOAD_RELOAD_STATUS_H_
#define GEMEL_PROXY_RELOAD_RELOAD_STATUS_H_

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

namespace gemel {

// Any thread.
class ReloadStatus {
 public:
  struct Values {
    int64_t loaded_unix_us = 0;  // when the config in effect took effect
    int64_t tried_unix_us = 0;   // the last attempt; 0: none since the start
    uint64_t done = 0;           // configs that took effect since the start
    uint64_t refused = 0;
    std::string error;  // of the last attempt; empty: it was good
  };

  // Runs, on the thread that reloads, when the file begins to be read again (true), and when that
  // has ended. Before the first reload.
  void set_on_reload(std::function<void(bool begins)> on_reload) {
    on_reload_ = std::move(on_reload);
  }

  void Begun() { Tell(true); }
  // It came to nothing: it is not the file that was meant.
  void Left() { Tell(false); }
  void Loaded(int64_t unix_us) {
    const std::lock_guard lock(mutex_);
    values_.loaded_unix_us = unix_us;
  }
  // An attempt has ended. `changed`: a new config is in effect.
  void Tried(int64_t unix_us, bool changed, std::string error) {
    {
      const std::lock_guard lock(mutex_);
      values_.tried_unix_us = unix_us;
      if (changed) {
        ++values_.done;
        values_.loaded_unix_us = unix_us;
      }
      if (!error.empty()) ++values_.refused;
      values_.error = std::move(error);
    }
    Tell(false);
  }
  // One that was counted as refused was tried again, and refused again.
  void TriedAgain(int64_t unix_us, std::string error) {
    {
      const std::lock_guard lock(mutex_);
      values_.tried_unix_us = unix_us;
      values_.error = std::move(error);
    }
    Tell(false);
  }
  Values Get() const {
    const std::lock_guard lock(mutex_);
    return values_;
  }

 private:
  void Tell(bool begins) const {
    if (on_reload_) on_reload_(begins);
  }

  std::function<void(bool)> on_reload_;
  mutable std::mutex mutex_;
  Values values_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_RELOAD_STATUS_H_
