#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <mutex>

#include "proxy/log/log.h"

namespace gemel {

namespace {

constexpr uint32_t kLinesPerSecond = 200;

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::level::level_enum LevelOf(NoteLevel level) {
  return level == NoteLevel::kInfo
             ? spdlog::level::info
             : (level == NoteLevel::kWarn ? spdlog::level::warn : spdlog::level::err);
}

// Lines a second, over all threads.
class LineLimit {
 public:
  // May this line be written? *suppressed: how many were not since the last that was.
  bool Allow(uint64_t* suppressed) {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (now - began_ >= std::chrono::seconds(1)) {
      began_ = now;
      lines_ = 0;
    }
    if (lines_ >= kLinesPerSecond) {
      ++suppressed_;
      return false;
    }
    ++lines_;
    *suppressed = suppressed_;
    suppressed_ = 0;
    return true;
  }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point began_;
  uint32_t lines_ = 0;
  uint64_t suppressed_ = 0;
};

LineLimit& Limit() {
  static LineLimit limit;
  return limit;
}

// What clients and nodes send may be in a line: nothing of it may break the line or the terminal.
std::string Printable(const std::string& text) {
  std::string clean = text;
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = '?';
  }
  return clean;
}

// Where the logger writes to; what is behind it may change while it is written to.
std::shared_ptr<spdlog::sinks::dist_sink_mt>& Target() {
  static auto target = std::make_shared<spdlog::sinks::dist_sink_mt>();
  return target;
}

}  // namespace

bool OpenLog(const LogConfig& config, std::string* error) {
  auto logger = std::make_shared<spdlog::logger>("gemel", Target());
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
  return ChangeLog(config, error);
}

bool ChangeLog(const LogConfig& config, std::string* error) {
  try {
    spdlog::sink_ptr sink;
    if (config.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          config.file, config.rotate_bytes, config.rotate_files);
    }
    sink->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
    Target()->set_sinks({sink});
    spdlog::default_logger_raw()->set_level(LevelOf(config.level));
    return true;
  } catch (const spdlog::spdlog_ex& failure) {
    *error = "the log file " + config.file + " cannot be opened: " + failure.what() +
             "; check [log] file and its folder's permissions";
    return false;
  }
}

void Log(NoteLevel level, const std::string& text) {
  uint64_t suppressed = 0;
  if (!Limit().Allow(&suppressed)) return;
  if (suppressed > 0) {
    spdlog::default_logger_raw()->log(spdlog::level::warn, "{} lines were not logged: too many",
                                      suppressed);
  }
  spdlog::default_logger_raw()->log(LevelOf(level), "{}", Printable(text));
}

void FlushLog() { spdlog::default_logger_raw()->flush(); }

}  // namespace gemel
