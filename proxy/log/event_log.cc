#include "proxy/log/event_log.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "backend/bytes/printable.h"

namespace gemel {

namespace {

constexpr std::string_view kBegin = "shard '";
constexpr std::string_view kEnd = "': ";

}  // namespace

void EventLog::Add(int64_t unix_us, NoteLevel level, std::string_view note) {
  Event event{unix_us, level, {}, {}};
  if (note.starts_with(kBegin)) {
    const size_t end = note.find(kEnd, kBegin.size());
    if (end != std::string_view::npos) {
      event.shard = note.substr(kBegin.size(), end - kBegin.size());
      note.remove_prefix(end + kEnd.size());
    }
  }
  event.shard = Printable(event.shard);
  event.text = Printable(note.substr(0, kMaxText));  // what nodes and clients sent may be in it
  if (note.size() > kMaxText) event.text += "...";
  const std::lock_guard<std::mutex> lock(mutex_);
  if (events_.size() == kKept) events_.pop_front();
  events_.push_back(std::move(event));
}

std::vector<Event> EventLog::Last(size_t count) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto skipped =
      static_cast<std::ptrdiff_t>(events_.size() - std::min(count, events_.size()));
  return {events_.begin() + skipped, events_.end()};
}

std::string_view NoteLevelName(NoteLevel level) {
  switch (level) {
    case NoteLevel::kInfo:
      return "info";
    case NoteLevel::kWarn:
      return "warn";
    case NoteLevel::kError:
      return "error";
  }
  return "?";
}

std::string IsoTime(int64_t unix_us) {
  using std::chrono::days;
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> time(
      floor<std::chrono::milliseconds>(std::chrono::microseconds(unix_us)));
  const auto day = floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(
      text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

}  // namespace gemel
