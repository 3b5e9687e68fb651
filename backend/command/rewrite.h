// What the other copies are sent where the first one's reply tells what came of a write: a function
// each, named in the row (CommandRow::rewrite), as Redis's own replication rewrites such commands.
// Where the reply does not tell all, the row's `ask` names questions that the first copy is asked
// right behind the command, or before it (nothing else reaches its keys in between).
//
// Of each `ask`: appends whole frames. Of each `rewrite`: see Rewrite in command_table.h.

#ifndef GEMEL_BACKEND_COMMAND_REWRITE_H_
#define GEMEL_BACKEND_COMMAND_REWRITE_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"

namespace gemel {

// A server may take no command of more arguments: what would need more is not rewritten.
inline constexpr size_t kMostRewritten = 1000000;

// SPOP key [count]: SREM of what was popped.
bool RewriteSpop(const FirstReply& first, std::vector<std::string>* frames);

// ZREMRANGEBYLEX: ZREM of the members that ZRANGEBYLEX gives before. Among members of several
// scores what such a range finds depends on the random levels of the node's skip list.
void AskZremrangebylex(std::span<const std::string_view> args, std::vector<std::string>* frames);
bool RewriteZremrangebylex(const FirstReply& first, std::vector<std::string>* frames);

// XADD with an ID that the node makes up: with the one that it made. Where it trims by node layout
// ("~"): to the length that it left, which it is asked for.
void AskXadd(std::span<const std::string_view> args, std::vector<std::string>* frames);
bool RewriteXadd(const FirstReply& first, std::vector<std::string>* frames);

// XTRIM with "~": to the length that it left.
void AskXtrim(std::span<const std::string_view> args, std::vector<std::string>* frames);
bool RewriteXtrim(const FirstReply& first, std::vector<std::string>* frames);

// XREADGROUP: XCLAIM of what was read, and the place that the group has come to, with how many
// entries it has read (which XINFO is asked for, as well as whether the consumer is there).
void AskXreadgroup(std::span<const std::string_view> args, std::vector<std::string>* frames);
bool RewriteXreadgroup(const FirstReply& first, std::vector<std::string>* frames);

// XCLAIM and XAUTOCLAIM: XCLAIM of what was claimed, however long it has been idle; and what is
// pending though its entry is gone leaves there, too.
bool RewriteXclaim(const FirstReply& first, std::vector<std::string>* frames);
bool RewriteXautoclaim(const FirstReply& first, std::vector<std::string>* frames);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_REWRITE_H_
