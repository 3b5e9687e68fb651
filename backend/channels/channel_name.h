// What a subscription is called, as one string: its kind, and the channel or pattern.

#ifndef GEMEL_BACKEND_CHANNELS_CHANNEL_NAME_H_
#define GEMEL_BACKEND_CHANNELS_CHANNEL_NAME_H_

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace gemel {

enum class ChannelKind : uint8_t { kChannel, kPattern, kShardChannel };

inline std::string MakeChannelName(ChannelKind kind, std::string_view text) {
  std::string name;
  name.reserve(text.size() + 1);
  name.push_back(static_cast<char>('0' + static_cast<char>(kind)));
  name.append(text);
  return name;
}
// `name` is one that MakeChannelName made.
inline ChannelKind KindOfChannel(std::string_view name) {
  return static_cast<ChannelKind>(name[0] - '0');
}
inline std::string_view TextOfChannel(std::string_view name) { return name.substr(1); }

// What Redis calls the kind's commands.
struct ChannelVerbs {
  std::string_view subscribe;
  std::string_view unsubscribe;
};
inline const ChannelVerbs& VerbsOf(ChannelKind kind) {
  static constexpr std::array<ChannelVerbs, 3> kVerbs = {{{"subscribe", "unsubscribe"},
                                                          {"psubscribe", "punsubscribe"},
                                                          {"ssubscribe", "sunsubscribe"}}};
  return kVerbs[static_cast<size_t>(kind)];
}

// Is it one that MakeChannelName could have made?
inline bool IsChannelName(std::string_view name) {
  return !name.empty() && name[0] >= '0' && name[0] <= '2';
}

// The subscription for which a message is, a whole array that a node of RESP2 sent; empty: it is no
// message.
inline std::string ChannelOfMessage(std::string_view message) {
  constexpr std::array<std::pair<std::string_view, ChannelKind>, 3> kHeads = {
      {{"*3\r\n$7\r\nmessage\r\n", ChannelKind::kChannel},
       {"*4\r\n$8\r\npmessage\r\n", ChannelKind::kPattern},
       {"*3\r\n$8\r\nsmessage\r\n", ChannelKind::kShardChannel}}};
  for (const auto& [head, kind] : kHeads) {
    if (!message.starts_with(head)) continue;
    message.remove_prefix(head.size() + 1);  // and the $ of a bulk string
    size_t size = 0;
    const char* end = message.data() + message.size();
    const char* behind = std::from_chars(message.data(), end, size).ptr;
    return MakeChannelName(kind, {behind + 2, size});
  }
  return {};
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_CHANNELS_CHANNEL_NAME_H_
