#include "backend/spaces/space_channels.h"

#include <vector>

#include "backend/channels/keyspace_name.h"
#include "backend/command/glob.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr std::string_view kKeyspace = kKeyspaceHeads[0];
constexpr std::string_view kKeyevent = kKeyspaceHeads[1];
constexpr std::string_view kHeadEnd = "__:";
// What both begin with.
constexpr std::string_view kOfKeys = "__key";
constexpr std::string_view kSpecial = "*?[\\";

// In "__keyspace@0__:key", or "@*": where the key begins; npos: it is not one of these.
size_t KeyBegin(std::string_view text, bool pattern) {
  if (!text.starts_with(kKeyspace)) return std::string_view::npos;
  size_t at = kKeyspace.size();
  if (pattern && text.substr(at, 1) == "*") {
    ++at;
  } else {
    const size_t digits = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    if (at == digits) return std::string_view::npos;
  }
  return text.substr(at).starts_with(kHeadEnd) ? at + kHeadEnd.size() : std::string_view::npos;
}

// It ends in '*', and what stands before that is there before the key begins: whatever the key is,
// it matches the channels of a database or does not.
bool HoldsForAllKeys(std::string_view pattern) {
  if (!pattern.ends_with('*') || pattern.ends_with("\\*")) return false;
  pattern.remove_suffix(1);
  const std::string whole = std::string(kKeyspace) + "0" + std::string(kHeadEnd);
  for (size_t size = 0; size <= whole.size(); ++size) {
    if (GlobMatchesExactly(pattern, std::string_view(whole).substr(0, size))) return true;
  }
  return false;
}

// A pattern that begins so can hear nothing of single keys.
bool IsOfEvents(std::string_view pattern) {
  const std::string_view plain = pattern.substr(0, pattern.find_first_of(kSpecial));
  return plain.size() > kOfKeys.size() && !kKeyspace.starts_with(plain) &&
         !plain.starts_with(kKeyspace);
}

std::string Insert(std::string_view text, size_t at, std::string_view more) {
  std::string whole(text.substr(0, at));
  return whole.append(more).append(text.substr(at));
}

std::string Remove(std::string_view text, size_t at, std::string_view part) {
  std::string whole(text);
  if (at != std::string_view::npos && text.substr(at).starts_with(part)) {
    whole.erase(at, part.size());
  }
  return whole;
}

}  // namespace

std::string GlobEscaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (kSpecial.find(c) != std::string_view::npos || c == ']') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

bool IsOfKeys(std::string_view channel) {
  return channel.starts_with(kKeyspace) || channel.starts_with(kKeyevent);
}

std::optional<std::string> ChannelInSpace(ChannelKind kind, std::string_view channel,
                                          std::string_view prefix) {
  const bool pattern = kind == ChannelKind::kPattern;
  if (kind == ChannelKind::kShardChannel || !channel.starts_with(kOfKeys)) {
    return std::string(channel);
  }
  const size_t key = KeyBegin(channel, pattern);
  if (key != std::string_view::npos) {
    return Insert(channel, key, pattern ? GlobEscaped(prefix) : std::string(prefix));
  }
  if (!pattern || IsOfEvents(channel) || HoldsForAllKeys(channel)) return std::string(channel);
  return std::nullopt;
}

std::string ChannelOfClient(ChannelKind kind, std::string_view channel, std::string_view prefix) {
  if (kind == ChannelKind::kShardChannel) return std::string(channel);
  const bool pattern = kind == ChannelKind::kPattern;
  return Remove(channel, KeyBegin(channel, pattern),
                pattern ? GlobEscaped(prefix) : std::string(prefix));
}

bool MessageOfClient(std::string_view message, std::string_view prefix, std::string* out) {
  std::vector<std::string_view> parts;
  SplitFrame(message, &parts);
  const bool by_pattern = parts.size() == 4;
  if (parts.size() < 3 || (parts[0] == "smessage") || !IsOfKeys(parts[parts.size() - 2])) {
    return true;
  }
  // Who did not ask for what is told of keys gets what clients publish alone.
  if (by_pattern && !parts[1].starts_with(kOfKeys)) return false;
  const std::string_view channel = parts[parts.size() - 2];
  std::string own_channel(channel);
  std::string_view own_text = parts.back();
  if (channel.starts_with(kKeyspace)) {
    const size_t key = KeyBegin(channel, /*pattern=*/false);
    if (key == std::string_view::npos || !channel.substr(key).starts_with(prefix)) return false;
    own_channel.erase(key, prefix.size());
  } else {
    if (!own_text.starts_with(prefix)) return false;
    own_text.remove_prefix(prefix.size());
  }
  std::vector<std::string_view> own(parts);
  std::string own_pattern;
  if (by_pattern) {
    own_pattern = ChannelOfClient(ChannelKind::kPattern, parts[1], prefix);
    // With a glob for the database what it matches may reach into another's key.
    if (!GlobMatchesExactly(own_pattern, own_channel)) return false;
    own[1] = own_pattern;
  }
  own[own.size() - 2] = own_channel;
  own.back() = own_text;
  AppendCommand(out, own);
  return true;
}

}  // namespace gemel
