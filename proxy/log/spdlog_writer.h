// The thread that writes the log, so that nobody who logs ever waits for a file.

#ifndef GEMEL_PROXY_LOG_SPDLOG_WRITER_H_
#define GEMEL_PROXY_LOG_SPDLOG_WRITER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "proxy/log/spdlog_target.h"

namespace gemel {

// Takes lines from any thread and writes them in their order. What does not fit any more because
// the target does not keep up, and what it does not take (a full disk), is lost, and counted:
// before the next line that is written stands how many were lost there.
class LogWriter {
 public:
  // That many lines and bytes may wait.
  static constexpr size_t kMaxLines = 4096;
  static constexpr size_t kMaxBytes = 1 << 20;

  // `lost_line`: the line that says so; called on the writer's thread.
  LogWriter(std::unique_ptr<LogTarget> target, std::function<std::string(uint64_t lost)> lost_line);
  // Does not wait: what was pushed before is still written, if the target takes it within a second.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // A whole line with its end. Never waits.
  void Push(std::string line);
  // Until all that was pushed before is written or lost, but so long at most.
  void Flush(int64_t most_ms);
  // From the next line on these sizes are kept to, and the file is what its path leads to then.
  // Waits for that, but so long at most, and not for a target that takes nothing now. If it cannot
  // be opened the lines go on into the old one, and it is tried again every second: false, and
  // *error (a phrase).
  bool Reopen(const LogConfig& config, int64_t most_ms, std::string* error);
  // Of all writers of the process.
  static uint64_t Lost();
  // Why lines are lost now, a phrase; empty: none are.
  std::string Error() const;

 private:
  struct State;
  static void Run(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_LOG_SPDLOG_WRITER_H_
