// Where the lines of the log go: a file that is rotated, or stderr. Writes what fits without
// waiting, as far as the system allows that.

#ifndef GEMEL_PROXY_LOG_SPDLOG_TARGET_H_
#define GEMEL_PROXY_LOG_SPDLOG_TARGET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/files/unique_fd.h"
#include "config/config.h"

namespace gemel {

// One thread at a time. Every call may hang as long as a dead file system does.
class LogTarget {
 public:
  enum class Wrote {
    kAll,
    kLater,   // it takes no more for now: see WaitUntilWritable
    kFailed,  // see error()
  };

  // Null and *error (a phrase) if the file cannot be opened. Makes it and its folders if need be,
  // not readable for others; a file that exists keeps its mode. A pipe without a reader is opened,
  // too: the reader may come later.
  static std::unique_ptr<LogTarget> Open(const LogConfig& config, std::string* error);

  // Opens what its path leads to now, and writes there from then on. False and *error, and it
  // writes on into what it has, if that cannot be.
  bool Reopen(std::string* error);
  void Configure(const LogConfig& config) { config_ = config; }

  // How much goes into the file before it is rotated; 0: it is to be rotated first.
  uint64_t Room() const;
  // Renames FILE to FILE.1 and so on, and begins anew; a symbolic link to the file stays. With no
  // rotated files kept the file is emptied. What is no regular file, or not at its path any more,
  // stays as it is.
  void Rotate();

  // Takes from the front of *text what was written.
  Wrote Write(std::string_view* text);
  // Waits for so long at most.
  void WaitUntilWritable(int ms) const;
  const std::string& error() const { return error_; }

 private:
  explicit LogTarget(const LogConfig& config) : config_(config) {}
  bool OpenFile(UniqueFd* file, std::string* error) const;
  void Look();

  LogConfig config_;
  UniqueFd file_;
  bool regular_ = false;
  bool pipe_ = false;
  bool socket_ = false;
  std::string error_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_LOG_SPDLOG_TARGET_H_
