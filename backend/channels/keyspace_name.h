// Where a shard has database N of its nodes for itself, clients call that database 0. So what is
// published about its keys is in channels of another name there than here.
// Source: https://redis.io/docs/manual/keyspace-notifications/

#ifndef GEMEL_BACKEND_CHANNELS_KEYSPACE_NAME_H_
#define GEMEL_BACKEND_CHANNELS_KEYSPACE_NAME_H_

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "backend/channels/channel_name.h"

namespace gemel {

inline constexpr std::string_view kKeyspaceHeads[] = {"__keyspace@", "__keyevent@"};

// The database of "__keyspace@3__:key" and "__keyevent@3__:event"; -1: it is none of these.
inline int64_t DatabaseOfNotification(std::string_view channel) {
  for (const std::string_view head : kKeyspaceHeads) {
    if (!channel.starts_with(head)) continue;
    channel.remove_prefix(head.size());
    int64_t database = -1;
    const auto [end, error] =
        std::from_chars(channel.data(), channel.data() + channel.size(), database);
    const bool whole = error == std::errc() &&
                       channel.substr(static_cast<size_t>(end - channel.data())).starts_with("__:");
    return whole ? database : -1;
  }
  return -1;
}

// Whether what a node tells of keys may come to who has subscribed to that name (channel_name.h).
inline bool MayBeAboutKeys(std::string_view name) {
  const ChannelKind kind = KindOfChannel(name);
  if (kind == ChannelKind::kShardChannel) return false;
  const std::string_view text = TextOfChannel(name);
  const bool pattern = kind == ChannelKind::kPattern;
  const size_t special = pattern ? text.find_first_of("*?[\\") : std::string_view::npos;
  const std::string_view plain = text.substr(0, special);
  for (const std::string_view head : kKeyspaceHeads) {
    if (plain.starts_with(head)) return true;
    if (special != std::string_view::npos && head.starts_with(plain)) return true;
  }
  return false;
}

// Where the number of a database stands in the name of a channel or pattern that is about keys, as
// "@3__"; npos: nowhere. (A pattern that says it otherwise, as [3], is about none in particular.)
inline size_t FindKeyspace(std::string_view text, uint32_t database) {
  if (!text.starts_with("__key")) return std::string_view::npos;
  return text.find("@" + std::to_string(database) + "__");
}

// The name with the number `to` instead of `from`; as it is where that is not in it.
inline std::string RenameKeyspace(std::string_view text, uint32_t from, uint32_t to) {
  const size_t found = FindKeyspace(text, from);
  if (found == std::string_view::npos) return std::string(text);
  const size_t behind = found + 1 + std::to_string(from).size();
  return std::string(text.substr(0, found + 1)) + std::to_string(to) +
         std::string(text.substr(behind));
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_CHANNELS_KEYSPACE_NAME_H_
