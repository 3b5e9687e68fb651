// What is published about keys (__keyspace@0__:key, __keyevent@0__:event), as a user hears it who
// has a key space of its own: of its keys alone, and without their prefix.
//
// A channel of a key, and a pattern of such, is subscribed to with the prefix in it. Patterns that
// hold for all keys alike, and channels of events, are subscribed to as they are, and what comes is
// looked at: only of the user's keys it is passed on.

#ifndef GEMEL_BACKEND_SPACES_SPACE_CHANNELS_H_
#define GEMEL_BACKEND_SPACES_SPACE_CHANNELS_H_

#include <optional>
#include <string>
#include <string_view>

#include "backend/channels/channel_name.h"

namespace gemel {

// The pattern that only that text matches.
std::string GlobEscaped(std::string_view text);

// It begins as the channels do in which nodes tell of keys.
bool IsOfKeys(std::string_view channel);

// What is subscribed to for the channel or pattern; nothing: a pattern of keys that cannot be said
// with the prefix in it, because a glob may stand for the name of the channel and a part of the
// key.
std::optional<std::string> ChannelInSpace(ChannelKind kind, std::string_view channel,
                                          std::string_view prefix);
// And back: what the client calls that subscription.
std::string ChannelOfClient(ChannelKind kind, std::string_view channel, std::string_view prefix);

// A message, a whole array as RESP2 has it, as the client is to read it. False: it is not for it.
// Unchanged messages leave *out empty.
bool MessageOfClient(std::string_view message, std::string_view prefix, std::string* out);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SPACES_SPACE_CHANNELS_H_
