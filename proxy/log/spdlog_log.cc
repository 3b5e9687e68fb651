#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "proxy/log/line_limit.h"
#include "proxy/log/log.h"
#include "proxy/log/printable.h"

namespace gemel {

namespace {

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

// Over all threads.
bool Allow(uint64_t* suppressed) {
  static std::mutex mutex;
  static LineLimit limit;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const std::lock_guard<std::mutex> lock(mutex);
  return limit.Allow(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()),
      suppressed);
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
  spdlog::logger* logger = spdlog::default_logger_raw();
  if (!logger->should_log(LevelOf(level))) return;  // it takes no other line's place
  uint64_t suppressed = 0;
  if (!Allow(&suppressed)) return;
  if (suppressed > 0) {
    logger->log(std::max(LevelOf(level), spdlog::level::warn), "{} lines were not logged: too many",
                suppressed);
  }
  logger->log(LevelOf(level), "{}", Printable(text));
}

void LogAlways(NoteLevel level, const std::string& text) {
  spdlog::default_logger_raw()->log(LevelOf(level), "{}", Printable(text));
}

void FlushLog() { spdlog::default_logger_raw()->flush(); }

}  // namespace gemel
