// What scripts that were guarded answered.

#include "backend/command/script_guard.h"
#include "backend/command/script_marks.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// False: it is not hexadecimal.
bool FromHex(std::string_view hex, std::string* bytes) {
  if (hex.size() % 2 != 0) return false;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]);
    const int low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes->push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

// Takes the keys out of an error's text: the last that it has, for the script may have written what
// looks alike.
void ReadError(ScriptReport* report) {
  const size_t begin = report->reply.rfind(kToldMark);
  if (begin == std::string::npos) return;
  const size_t end = report->reply.find(']', begin);
  if (end == std::string::npos) return;
  std::string_view rest = std::string_view(report->reply)
                              .substr(begin + kToldMark.size(), end - begin - kToldMark.size());
  std::vector<std::string> keys;
  for (bool more = true; more;) {
    const size_t comma = rest.find(',');
    more = comma != std::string_view::npos;
    std::string key;
    if (!FromHex(rest.substr(0, comma), &key)) return;
    keys.push_back(std::move(key));
    if (more) rest.remove_prefix(comma + 1);
  }
  report->keys = std::move(keys);
  report->reply.erase(begin, end + 1 - begin);
}

}  // namespace

bool IsStopped(std::string_view reply) {
  if (!reply.starts_with('-')) return false;
  const size_t mark = reply.rfind(kStoppedMark);
  return mark != std::string_view::npos && reply.find(']', mark) != std::string_view::npos;
}

std::string WithoutStop(std::string_view reply) {
  std::string text(reply);
  const size_t mark = text.rfind(kStoppedMark);
  if (mark == std::string::npos) return text;
  text.erase(mark, text.find(']', mark) + 1 - mark);
  return text;
}

std::string StoppedAt(std::string_view reply) {
  const size_t mark = reply.rfind(kStoppedMark);
  std::string key;
  if (mark == std::string_view::npos) return key;
  reply.remove_prefix(mark + kStoppedMark.size());
  return FromHex(reply.substr(0, reply.find(']')), &key) ? key : std::string();
}

ScriptReport ReadScriptReport(std::string_view reply) {
  ScriptReport report;
  report.reply = reply;
  if (reply.starts_with('-')) {
    ReadError(&report);
    return report;
  }
  std::vector<std::string_view> parts;
  std::vector<std::string_view> keys;
  if (!SplitArray(reply, &parts) || parts.size() < 2 || !SplitArray(parts[1], &keys)) return report;
  if (!ParseInteger(ReplyText(parts[0]), &report.memory)) report.memory = 0;
  for (const std::string_view key : keys) report.keys.emplace_back(ReplyText(key));
  report.reply = parts.size() > 2 ? parts[2] : std::string_view("_\r\n");
  return report;
}

}  // namespace gemel
