#include "proxy/seen/monitor_line.h"

#include <cstdio>

#include "proxy/seen/shown_args.h"

namespace gemel {

namespace {

// As sdscatrepr.
void AppendQuotedArg(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  *out += '"';
  for (const char c : text) {
    switch (c) {
      case '\\':
      case '"':
        *out += '\\';
        *out += c;
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      case '\a':
        *out += "\\a";
        break;
      case '\b':
        *out += "\\b";
        break;
      default:
        if (c >= ' ' && c <= '~') {
          *out += c;
        } else {
          const auto byte = static_cast<unsigned char>(c);
          *out += "\\x";
          *out += kHex[byte >> 4];
          *out += kHex[byte & 15];
        }
    }
  }
  *out += '"';
}

}  // namespace

// Scripts have the flag because Redis shows them by itself, before what they call.
bool IsMonitored(const CommandRow& row) {
  return (row.flags & kCmdAdmin) == 0 && ((row.flags & kCmdSkipMonitor) == 0 || row.RunsCode());
}

void AppendMonitorHead(int64_t unix_us, uint32_t database, std::string_view peer,
                       std::string* out) {
  char head[64];
  std::snprintf(head, sizeof(head), "+%lld.%06lld [%u ", static_cast<long long>(unix_us / 1000000),
                static_cast<long long>(unix_us % 1000000), database);
  *out += head;
  *out += peer;
  *out += "] ";
}

void AppendMonitorArgs(const CommandRow& row, std::span<const std::string_view> args,
                       std::string* out) {
  for (size_t i = 0; i < args.size(); ++i) {
    if (i > 0) *out += ' ';
    AppendQuotedArg(IsSecret(&row, args, i) ? kRedacted : args[i], out);
  }
  *out += "\r\n";
}

}  // namespace gemel
