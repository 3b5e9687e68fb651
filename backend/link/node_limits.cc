#include "backend/link/node_limits.h"

#include <algorithm>
#include <vector>

#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

void Lower(uint64_t* limit, uint64_t value) {
  if (value > 0) *limit = std::min(*limit, value);
}

uint64_t PositiveNumber(std::string_view text) {
  int64_t number = 0;
  return ParseInteger(text, &number) && number > 0 ? static_cast<uint64_t>(number) : 0;
}

std::string_view NextWord(std::string_view* text) {
  const size_t end = std::min(text->find(' '), text->size());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return word;
}

// "normal HARD SOFT SECONDS replica ..."
void LearnOutput(std::string_view text, uint64_t* limit) {
  while (!text.empty()) {
    const std::string_view of = NextWord(&text);
    const uint64_t hard = PositiveNumber(NextWord(&text));
    const uint64_t soft = PositiveNumber(NextWord(&text));
    NextWord(&text);
    if (of != "normal") continue;
    Lower(limit, hard);
    Lower(limit, soft);
  }
}

}  // namespace

void NodeLimits::Learn(std::string_view reply) {
  std::vector<std::string_view> parts;
  if (!SplitArray(reply, &parts)) return;
  uint64_t maxmemory = 0;
  std::string_view clients;
  for (size_t i = 0; i + 1 < parts.size(); i += 2) {
    const std::string_view name = ReplyText(parts[i]);
    const std::string_view value = ReplyText(parts[i + 1]);
    if (name == "proto-max-bulk-len" || name == "client-query-buffer-limit") {
      Lower(&argument, PositiveNumber(value));
    } else if (name == "client-output-buffer-limit") {
      LearnOutput(value, &output);
    } else if (name == "maxmemory-clients") {
      clients = value;
    } else if (name == "maxmemory") {
      maxmemory = PositiveNumber(value);
    }
  }
  if (clients.ends_with('%')) {
    clients.remove_suffix(1);
    Lower(&output, maxmemory / 100 * PositiveNumber(clients));
  } else {
    Lower(&output, PositiveNumber(clients));
  }
}

}  // namespace gemel
