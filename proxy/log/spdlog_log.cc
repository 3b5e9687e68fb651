#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <mutex>
#include <string_view>
#include <utility>

#include "backend/bytes/printable.h"
#include "proxy/log/line_limit.h"
#include "proxy/log/log.h"
#include "proxy/log/posix_journal.h"
#include "proxy/log/spdlog_writer.h"

namespace gemel {

class NextLog {
 public:
  explicit NextLog(LogConfig config) : config(std::move(config)) {}
  const LogConfig config;
  // Null: the writer in use goes on, with another config.
  std::unique_ptr<LogWriter> writer;
};

namespace {

// For how long somebody may wait for a file.
constexpr int64_t kFlushMs = 2000;
constexpr char kPattern[] = "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v";

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

// As spdlog's own sinks do it.
constexpr std::string_view ColorOf(spdlog::level::level_enum level) {
  constexpr std::array<std::string_view, 6> kColors = {
      "\033[37m", "\033[36m", "\033[32m", "\033[33m\033[1m", "\033[31m\033[1m", "\033[1m\033[41m"};
  return kColors[std::min<size_t>(static_cast<size_t>(level), kColors.size() - 1)];
}

// What a line looks like where it goes.
enum class Style { kPlain, kColored, kJournal };

Style StyleOf(const LogConfig& config) {
  if (!config.file.empty()) return Style::kPlain;
  if (StderrIsJournal()) return Style::kJournal;
  return ::isatty(STDERR_FILENO) == 1 ? Style::kColored : Style::kPlain;
}

// sd-daemon(3). The journal has the time, and the level is the priority.
std::string JournalLine(const spdlog::details::log_msg& message) {
  const char* priority = message.level >= spdlog::level::err     ? "<3>"
                         : message.level == spdlog::level::warn  ? "<4>"
                         : message.level == spdlog::level::debug ? "<7>"
                                                                 : "<6>";
  std::string line = priority;
  line.append(message.payload.data(), message.payload.size());
  return line + "\n";
}

// Makes lines and hands them to the writer's thread.
class WriterSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // The one before is returned: it may take its time to go.
  std::shared_ptr<LogWriter> Use(std::shared_ptr<LogWriter> writer, Style style) {
    const std::lock_guard<std::mutex> lock(mutex_);
    style_ = style;
    return std::exchange(writer_, std::move(writer));
  }
  std::shared_ptr<LogWriter> writer() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return writer_;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (!writer_) return;
    if (style_ == Style::kJournal) {
      writer_->Push(JournalLine(message));
      return;
    }
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    std::string line(formatted.data(), formatted.size());
    if (style_ == Style::kColored && message.color_range_end > message.color_range_start) {
      line.insert(message.color_range_end, "\033[m");
      line.insert(message.color_range_start, ColorOf(message.level));
    }
    writer_->Push(std::move(line));
  }
  void flush_() override {}

 private:
  std::shared_ptr<LogWriter> writer_;
  Style style_ = Style::kPlain;
};

// What the logger writes to; what is behind it may change while it is written to. Never destroyed:
// the process may end while others log.
WriterSink& Target() {
  static const auto* target = new std::shared_ptr<WriterSink>([] {
    auto sink = std::make_shared<WriterSink>();
    sink->set_pattern(kPattern);
    return sink;
  }());
  return **target;
}

std::string LostLine(Style style, uint64_t lost) {
  const std::string text = std::to_string(lost) + " lines were lost: the log did not take them";
  const spdlog::details::log_msg message("gemel", spdlog::level::warn, text);
  if (style == Style::kJournal) return JournalLine(message);
  spdlog::memory_buf_t formatted;
  spdlog::pattern_formatter(kPattern).format(message, formatted);
  return {formatted.data(), formatted.size()};
}

std::string Sentence(const LogConfig& config, const std::string& what, const std::string& why) {
  return (config.file.empty() ? "the log" : "the log file " + config.file) + " cannot be " + what +
         ": " + why + "; check [log] file and its folder's permissions";
}

// The config in effect.
std::mutex in_use_mutex;
LogConfig in_use;
bool opened = false;

LogConfig InUse() {
  const std::lock_guard<std::mutex> lock(in_use_mutex);
  return in_use;
}

}  // namespace

bool OpenLog(const LogConfig& config, std::string* error) {
  Target();
  auto logger = std::make_shared<spdlog::logger>(
      "gemel", std::shared_ptr<spdlog::sinks::sink>(&Target(), [](auto*) {}));
  spdlog::set_default_logger(logger);
  std::shared_ptr<NextLog> next = PrepareLog(config, error);
  if (!next) return false;
  UseLog(std::move(next));
  return true;
}

std::shared_ptr<NextLog> PrepareLog(const LogConfig& config, std::string* error) {
  auto next = std::make_shared<NextLog>(config);
  {
    const std::lock_guard<std::mutex> lock(in_use_mutex);
    if (opened && in_use.file == config.file) return next;
  }
  try {
    std::string why;
    std::unique_ptr<LogTarget> target = LogTarget::Open(config, &why);
    if (target) {
      next->writer = std::make_unique<LogWriter>(
          std::move(target),
          [style = StyleOf(config)](uint64_t lost) { return LostLine(style, lost); });
      return next;
    }
    *error = Sentence(config, "opened", why);
  } catch (const std::exception& failure) {  // no more threads
    *error = Sentence(config, "opened", failure.what());
  }
  return nullptr;
}

void UseLog(std::shared_ptr<NextLog> next) {
  const LogConfig& config = next->config;
  {
    const std::lock_guard<std::mutex> lock(in_use_mutex);
    in_use = config;
    opened = true;
  }
  if (next->writer) {
    Target().Use(std::move(next->writer), StyleOf(config));
  } else {
    std::string ignored;
    Target().writer()->Reopen(config, 0, &ignored);
  }
  spdlog::default_logger_raw()->set_level(LevelOf(config.level));
}

bool ReopenLog(std::string* error) {
  const std::shared_ptr<LogWriter> writer = Target().writer();
  if (!writer) return true;
  const LogConfig config = InUse();
  std::string why;
  if (writer->Reopen(config, kFlushMs, &why)) return true;
  *error = Sentence(config, "opened anew", why);
  return false;
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

void FlushLog() {
  if (const std::shared_ptr<LogWriter> writer = Target().writer()) writer->Flush(kFlushMs);
}

uint64_t LostLogLines() { return LogWriter::Lost(); }

std::string LogError() {
  const std::shared_ptr<LogWriter> writer = Target().writer();
  return writer ? writer->Error() : "";
}

}  // namespace gemel
