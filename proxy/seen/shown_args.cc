#include "proxy/seen/shown_args.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "config/config_names.h"
#include "config/config_options.h"

namespace gemel {

namespace {

constexpr size_t kMostArgs = 32;
constexpr size_t kMostBytes = 128;

// HELLO 3 AUTH user password SETNAME name
bool IsSecretOfHello(std::span<const std::string_view> args, size_t place) {
  for (size_t at = 2; at < args.size() && at < place; ++at) {
    if (EqualsLower(args[at], "auth")) {
      if (place <= at + 2) return true;
      at += 2;
    } else if (EqualsLower(args[at], "setname")) {
      ++at;
    }
  }
  return false;
}

// CONFIG SET name value name value
bool IsSecretOfConfig(std::span<const std::string_view> args, size_t place) {
  if (place < 3 || place % 2 == 0) return false;
  const OptionInfo* option = FindOption(FileOption(args[place - 1]));
  return option != nullptr && option->kind == OptionKind::kSecret;
}

void AppendShown(std::string_view arg, std::string* out) {
  if (arg.size() <= kMostBytes) return AppendBulk(out, arg);
  std::string cut(arg.substr(0, kMostBytes));
  cut += "... (" + std::to_string(arg.size() - kMostBytes) + " more bytes)";
  AppendBulk(out, cut);
}

// `args` has the first of `count`.
void AppendFirst(const CommandRow* row, std::span<const std::string_view> args, size_t count,
                 std::string* out) {
  const size_t shown = std::min(count, kMostArgs);
  AppendArrayHeader(out, static_cast<int64_t>(shown));
  for (size_t i = 0; i < shown; ++i) {
    if (count > kMostArgs && i + 1 == shown) {
      AppendBulk(out, "... (" + std::to_string(count - shown + 1) + " more arguments)");
    } else {
      AppendShown(IsSecret(row, args, i) ? kRedacted : args[i], out);
    }
  }
}

// Of "*3\r\n" or "$3\r\n" in front of the frame, which it takes off.
size_t TakeHeader(std::string_view* frame) {
  size_t value = 0;
  const char* end = frame->data() + frame->size();
  const char* after = std::from_chars(frame->data() + 1, end, value).ptr;
  frame->remove_prefix(
      std::min<size_t>(frame->size(), static_cast<size_t>(after - frame->data()) + 2));
  return value;
}

}  // namespace

bool IsSecret(const CommandRow* row, std::span<const std::string_view> args, size_t place) {
  if (row == nullptr || place == 0) return false;
  switch (row->local) {
    case LocalCommand::kAuth:
      return true;
    case LocalCommand::kHello:
      return IsSecretOfHello(args, place);
    case LocalCommand::kAclSetUser:
      return place >= 2;
    case LocalCommand::kConfigSet:
      return IsSecretOfConfig(args, place);
    default:
      return false;
  }
}

void AppendShownArgs(const CommandRow* row, std::span<const std::string_view> args,
                     std::string* out) {
  AppendFirst(row, args, args.size(), out);
}

void AppendShownFrame(const CommandRow* row, std::string_view frame, std::string* out) {
  std::array<std::string_view, kMostArgs> args;
  const size_t count = TakeHeader(&frame);
  const size_t read = std::min(count, kMostArgs);
  for (size_t i = 0; i < read; ++i) {
    const size_t size = std::min(TakeHeader(&frame), frame.size());
    args[i] = frame.substr(0, size);
    frame.remove_prefix(std::min(frame.size(), size + 2));
  }
  AppendFirst(row, std::span(args).first(read), count, out);
}

}  // namespace gemel
