// Commands that wait for what they want (BLPOP, BLMOVE, BZMPOP, ...). A node never waits: it is
// asked for what can be had at once, by another command, and the shard's owner does the waiting
// (backend/shard/blocked_clients.h).

#ifndef GEMEL_BACKEND_COMMAND_BLOCKING_H_
#define GEMEL_BACKEND_COMMAND_BLOCKING_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

// May this invocation wait?
bool MayWait(const CommandRow& row, std::span<const std::string_view> args);

// Of one that may: how long, in milliseconds; 0: for ever. False: that is malformed, and *error
// (without
// "-") says so as Redis does. Source: getTimeoutFromObjectOrReply, timeout.c of Redis 7.0.
bool ReadBlockingTimeout(const CommandRow& row, std::span<const std::string_view> args,
                         uint64_t* timeout_ms, std::string* error);

// The same of any command's timeout in milliseconds.
bool ReadTimeoutMs(std::string_view text, uint64_t* timeout_ms, std::string* error);

// What a client is told that CLIENT UNBLOCK with ERROR ends the waiting of.
inline constexpr std::string_view kUnblockedByClient =
    "UNBLOCKED client unblocked via CLIENT UNBLOCK";

// Of how many of its keys, the first ones, it waits for what they will have: not of where that
// goes.
size_t KeysWaitedFor(const CommandRow& row, size_t keys);

// What a node is asked.
struct AtOnce {
  std::string frame;
  bool block = false;            // a transaction of that one command, whose only element counts
  std::string_view of_key = {};  // the reply is to begin with the key, which the node leaves out
};
// `key`: the one of its keys that has something now; empty: it is not known which has.
AtOnce AskAtOnce(const CommandRow& row, std::span<const std::string_view> args,
                 std::string_view key);

// XREAD with "$" waits for what comes behind what there is now. What a node is asked first, to know
// which entry that is; empty: it names its IDs. And the command with the IDs in place, from its
// reply; false: *command is an error, the client's answer.
std::string AskLastIds(const CommandRow& row, std::span<const std::string_view> args);
bool PutLastIds(const CommandRow& row, std::span<const std::string_view> args,
                std::string_view reply, std::string* command);

// BLMOVE and BRPOPLPUSH, which a node has answered with -WRONGTYPE: what is asked to know of which
// of the two lists it says so, and whether it is the destination. (The source may be empty by then:
// somebody else was asked for, too.)
std::string AskTypes(std::span<const std::string_view> args);
bool DestinationWasWrong(std::string_view reply);

// Two clients that wait alike: of what comes one of them gets it, and the other does not. (For POPs
// it is as good whichever; what a group has delivered is its consumer's.)
bool WaitAlike(const CommandRow& row, std::span<const std::string_view> a,
               std::span<const std::string_view> b);

// The client's reply, from the node's to that; empty: there was nothing to be had.
std::string ReadAtOnce(const AtOnce& asked, std::string_view reply);

// What undoes it: puts back what was taken for a client that is gone, where it was. Empty: nothing
// is to be put back (what BLMOVE took is in its destination). `reply`: what ReadAtOnce gave.
std::string PutBack(const CommandRow& row, std::span<const std::string_view> args,
                    std::string_view reply);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_BLOCKING_H_
