#include "backend/command/stream_args.h"

#include "backend/command/ascii.h"

namespace gemel {

XaddArgs ReadXaddArgs(std::span<const std::string_view> args) {
  XaddArgs read;
  size_t i = 2;
  while (i < args.size()) {
    if (EqualsLower(args[i], "nomkstream")) {
      ++i;
    } else if (EqualsLower(args[i], "limit")) {
      i += 2;
    } else if (EqualsLower(args[i], "maxlen") || EqualsLower(args[i], "minid")) {
      ++i;
      if (i < args.size() && args[i] == "~") read.about = true;
      if (i < args.size() && (args[i] == "=" || args[i] == "~")) ++i;
      ++i;
    } else {
      break;
    }
  }
  read.id = i;
  return read;
}

XreadgroupArgs ReadXreadgroupArgs(std::span<const std::string_view> args) {
  XreadgroupArgs read;
  size_t i = 1;
  for (; i < args.size() && !EqualsLower(args[i], "streams"); ++i) {
    if (EqualsLower(args[i], "count")) {
      i += 1;
    } else if (EqualsLower(args[i], "group")) {
      i += 2;
    } else if (EqualsLower(args[i], "block")) {
      read.block = i;
      i += 1;
    } else if (EqualsLower(args[i], "noack")) {
      read.noack = true;
    }
  }
  read.first_key = i + 1;
  const size_t left = read.first_key < args.size() ? args.size() - read.first_key : 0;
  read.streams = left % 2 == 0 ? left / 2 : 0;
  return read;
}

size_t EndOfIds(std::span<const std::string_view> args, size_t from) {
  size_t i = from;
  while (i < args.size() && args[i].find_first_not_of("0123456789-") == std::string_view::npos) ++i;
  return i;
}

}  // namespace gemel
