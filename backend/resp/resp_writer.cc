#include "backend/resp/resp_writer.h"

#include <charconv>

namespace gemel {

namespace {

void AppendHeader(std::string* out, char type, int64_t value) {
  char text[24];
  text[0] = type;
  char* end = std::to_chars(text + 1, text + sizeof(text) - 2, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out->append(text, static_cast<size_t>(end - text));
}

// A line break in the text would end the reply, and what follows would pass for another.
void AppendLine(std::string* out, char type, std::string_view text) {
  out->push_back(type);
  for (char c : text) out->push_back(c == '\r' || c == '\n' ? ' ' : c);
  out->append("\r\n");
}

}  // namespace

void AppendSimple(std::string* out, std::string_view text) { AppendLine(out, '+', text); }

void AppendError(std::string* out, std::string_view text) { AppendLine(out, '-', text); }

void AppendInteger(std::string* out, int64_t value) { AppendHeader(out, ':', value); }

void AppendBulk(std::string* out, std::string_view bytes) {
  AppendHeader(out, '$', static_cast<int64_t>(bytes.size()));
  out->append(bytes);
  out->append("\r\n");
}

void AppendNullBulk(std::string* out) { out->append("$-1\r\n"); }

void AppendNullArray(std::string* out) { out->append("*-1\r\n"); }

void AppendArrayHeader(std::string* out, int64_t count) { AppendHeader(out, '*', count); }

void AppendNull(std::string* out) { out->append("_\r\n"); }

void AppendMapHeader(std::string* out, int64_t pairs) { AppendHeader(out, '%', pairs); }

void AppendSetHeader(std::string* out, int64_t count) { AppendHeader(out, '~', count); }

void AppendVerbatim(std::string* out, std::string_view text) {
  constexpr std::string_view kFormat = "txt:";
  AppendHeader(out, '=', static_cast<int64_t>(kFormat.size() + text.size()));
  out->append(kFormat);
  out->append(text);
  out->append("\r\n");
}

void AppendCommand(std::string* out, std::span<const std::string_view> args) {
  AppendArrayHeader(out, static_cast<int64_t>(args.size()));
  for (std::string_view arg : args) AppendBulk(out, arg);
}

std::string CommandFrame(const std::vector<std::string_view>& args) {
  std::string frame;
  AppendCommand(&frame, args);
  return frame;
}

}  // namespace gemel
