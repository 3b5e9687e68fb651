#include "backend/shard/blocked_news.h"

#include <bitset>
#include <cstdint>
#include <string_view>

#include "backend/command/other_database.h"
#include "backend/keys/key_name.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

void AddNewsOf(const FrameKeys::Command& command, bool own, const BlockedLines& lines,
               const FrameKeys& frame, std::vector<BlockedNews>* news) {
  const CommandRow& row = *command.row;
  if (command.begin == command.end) {
    // A stream that is gone is news for who waits for what a group of it gets.
    for (const auto& [key, line] : lines) {
      if (row.arg_rule == ArgRule::kFlushAll || DatabaseOf(key) == command.database) {
        news->push_back({key, 0, false});
      }
    }
  }
  if (SwapsDatabases(row)) {
    std::bitset<kMostDatabases> databases;
    for (const std::string_view arg : command.args.subspan(1)) {
      int64_t index = 0;
      if (ParseInteger(arg, &index) && index >= 0 && index < int64_t{kMostDatabases}) {
        databases.set(static_cast<size_t>(index));
      }
    }
    for (const auto& [key, line] : lines) {
      if (databases[DatabaseOf(key)]) news->push_back({key, 1, true});
    }
    return;
  }
  const WrittenKeys written = row.written;
  // How many may be served by what it brings is known of a command of one key alone.
  const bool several =
      command.end - command.begin > 1 || frame.is_block() || row.elements == Elements::kNone;
  uint32_t begin = written == WrittenKeys::kLast ? command.end - 1 : command.begin;
  const uint32_t end = written == WrittenKeys::kFirst ? command.begin + 1 : command.end;
  const bool moves = row.put_back.empty() && row.key_rule == KeyRule::kRange;
  if (own) begin = moves && command.end - command.begin == 2 ? end - 1 : end;
  for (uint32_t i = begin; i < end; ++i) {
    const auto line = lines.find(frame.key(i));
    if (line == lines.end()) continue;
    const size_t count = several || command.args.size() < 3 ? 1 : command.args.size() - 2;
    news->push_back({line->first, count, several, several ? Elements::kNone : row.elements});
  }
}

}  // namespace

void AddNews(const Request& request, bool own, const BlockedLines& lines, FrameKeys* frame,
             std::vector<BlockedNews>* news) {
  frame->Look(request);
  frame->ForEachCommand(request.row, request.database, [&](const FrameKeys::Command& command) {
    if (command.row != nullptr && command.MayWrite()) {
      AddNewsOf(command, own, lines, *frame, news);
    }
  });
}

}  // namespace gemel
