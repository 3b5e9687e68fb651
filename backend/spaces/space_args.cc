#include "backend/spaces/space_args.h"

#include <optional>

#include "backend/command/ascii.h"
#include "backend/command/key_finder.h"
#include "backend/resp/resp_writer.h"
#include "backend/spaces/space_channels.h"

namespace gemel {

namespace {

using SpaceArgs = std::span<const std::string_view>;
using Strings = std::vector<std::string>;

constexpr char kPublishOfKeys[] =
    "NOPERM a user with a key space of its own ([[user]] prefix) cannot publish to __keyspace@ and "
    "__keyevent@ channels: only nodes do";
constexpr char kPatternOfKeys[] =
    "NOPERM gemel cannot tell which keys of this user's key space ([[user]] prefix) the pattern "
    "means: say __keyspace@<database>__:<pattern of keys>";
constexpr char kSortPattern[] =
    "NOPERM the prefix of this user's key space ([[user]] prefix) has a '*', in front of which BY "
    "and GET of SORT cannot be told apart";

std::string WithPrefix(std::string_view prefix, std::string_view key) {
  std::string whole(prefix);
  return whole.append(key);
}

// The patterns of BY and GET that name keys. Source: sortCommandGeneric, sort.c of Redis 7.0.
std::string TranslateSort(SpaceArgs args, std::string_view prefix, Strings* words) {
  for (size_t at = 2; at + 1 < args.size(); ++at) {
    if (EqualsLower(args[at], "limit")) {
      at += 2;
      continue;
    }
    if (EqualsLower(args[at], "store")) {
      ++at;
      continue;
    }
    if (!EqualsLower(args[at], "by") && !EqualsLower(args[at], "get")) continue;
    if (args[++at].find('*') == std::string_view::npos) continue;
    if (prefix.find('*') != std::string_view::npos) return kSortPattern;
    (*words)[at] = WithPrefix(prefix, args[at]);
  }
  return {};
}

// Whatever is wrong with the options, nothing of others is looked through: the last MATCH counts.
void TranslateMatch(SpaceArgs args, std::string_view prefix, Strings* words) {
  const std::string escaped = GlobEscaped(prefix);
  bool matches = false;
  size_t at = 2;
  for (; at + 1 < args.size(); at += 2) {
    if (EqualsLower(args[at], "match")) {
      (*words)[at + 1] = WithPrefix(escaped, args[at + 1]);
      matches = true;
    } else if (!EqualsLower(args[at], "count") && !EqualsLower(args[at], "type")) {
      matches = false;
      break;
    }
  }
  if (matches) return;
  words->emplace_back("MATCH");
  words->push_back(escaped + "*");
}

// Where it names none, who carries it out knows the user's (proxy/local).
void TranslateTracking(SpaceArgs args, std::string_view prefix, Strings* words) {
  for (size_t at = 3; at < args.size(); ++at) {
    if (EqualsLower(args[at], "redirect")) {
      ++at;
    } else if (EqualsLower(args[at], "prefix") && at + 1 < args.size()) {
      ++at;
      (*words)[at] = WithPrefix(prefix, args[at]);
    }
  }
}

// Behind the names of the command and, if it has one, of the subcommand.
size_t FirstChannel(const CommandRow& row) {
  return row.name.find('|') == std::string_view::npos ? 1 : 2;
}

std::string TranslateChannels(const CommandRow& row, SpaceArgs args, std::string_view prefix,
                              Strings* words) {
  const ChannelKind kind =
      row.space == SpaceRule::kPatterns ? ChannelKind::kPattern : ChannelKind::kChannel;
  for (size_t at = FirstChannel(row); at < args.size(); ++at) {
    std::optional<std::string> channel = ChannelInSpace(kind, args[at], prefix);
    if (!channel) return kPatternOfKeys;
    (*words)[at] = *std::move(channel);
  }
  return {};
}

// What there is beside keys.
std::string TranslateOthers(const CommandRow& row, SpaceArgs args, std::string_view prefix,
                            Strings* words) {
  switch (SpaceRuleOf(row)) {
    case SpaceRule::kPattern:
      (*words)[1] = WithPrefix(GlobEscaped(prefix), args[1]);
      return {};
    case SpaceRule::kMatch:
      TranslateMatch(args, prefix, words);
      return {};
    case SpaceRule::kSort:
      return TranslateSort(args, prefix, words);
    case SpaceRule::kTracking:
      TranslateTracking(args, prefix, words);
      return {};
    case SpaceRule::kChannels:
    case SpaceRule::kPatterns:
      return TranslateChannels(row, args, prefix, words);
    case SpaceRule::kPublish:
      return IsOfKeys(args[1]) ? kPublishOfKeys : std::string();
    case SpaceRule::kRefused:
      return RefusalInSpace(row);
    case SpaceRule::kKeys:
    case SpaceRule::kAsItIs:
      break;
  }
  return {};
}

}  // namespace

SpaceRule SpaceRuleOf(const CommandRow& row) {
  if (row.space != SpaceRule::kKeys) return row.space;
  const bool admin = row.key_rule == KeyRule::kNone && (row.flags & kCmdAdmin) != 0;
  return row.script != ScriptRule::kNone || admin ? SpaceRule::kRefused : SpaceRule::kKeys;
}

std::string RefusalInSpace(const CommandRow& row) {
  if (SpaceRuleOf(row) != SpaceRule::kRefused) return {};
  if (row.script != ScriptRule::kNone) {
    return "NOPERM this user has a key space of its own ([[user]] prefix), and a script or "
           "function "
           "could name keys outside of it: a user without prefix may run them";
  }
  return "NOPERM this user has a key space of its own ([[user]] prefix), which the '" +
         std::string(row.name) + "' command goes beyond: a user without prefix may use it";
}

std::string IntoSpace(const CommandRow& row, SpaceArgs args, std::string_view prefix,
                      std::vector<uint32_t>* keys, std::string* frame) {
  frame->clear();
  keys->clear();
  const bool has_keys = row.space != SpaceRule::kAsItIs && FindKeys(row, args, keys);
  Strings words;
  if (row.space != SpaceRule::kKeys) {
    words.assign(args.begin(), args.end());
    std::string wrong = TranslateOthers(row, args, prefix, &words);
    if (!wrong.empty()) return wrong;
  }
  const size_t count = std::max(words.size(), args.size());
  AppendArrayHeader(frame, static_cast<int64_t>(count));
  size_t next = 0;
  for (size_t at = 0; at < count; ++at) {
    if (has_keys && next < keys->size() && (*keys)[next] == at) {
      ++next;
      AppendBulk(frame, WithPrefix(prefix, args[at]));
    } else {
      AppendBulk(frame, words.empty() ? args[at] : std::string_view(words[at]));
    }
  }
  return {};
}

void OutOfSpace(const CommandRow& row, std::string_view prefix, std::vector<uint32_t>* keys,
                std::vector<std::string_view>* args, std::vector<std::string>* room) {
  const bool channels = row.space == SpaceRule::kChannels || row.space == SpaceRule::kPatterns;
  room->clear();
  room->reserve(args->size());
  if (channels) {
    const ChannelKind kind =
        row.space == SpaceRule::kPatterns ? ChannelKind::kPattern : ChannelKind::kChannel;
    for (size_t at = FirstChannel(row); at < args->size(); ++at) {
      room->push_back(ChannelOfClient(kind, (*args)[at], prefix));
      (*args)[at] = room->back();
    }
    return;
  }
  if (row.space == SpaceRule::kAsItIs || !FindKeys(row, *args, keys)) return;
  for (const uint32_t key : *keys) {
    if ((*args)[key].starts_with(prefix)) (*args)[key].remove_prefix(prefix.size());
  }
}

}  // namespace gemel
