// The arguments of commands on streams, read as Redis's own parsers do. What is malformed is for
// the node to refuse: then the values here mean nothing, but are in bounds.

#ifndef GEMEL_BACKEND_COMMAND_STREAM_ARGS_H_
#define GEMEL_BACKEND_COMMAND_STREAM_ARGS_H_

#include <cstddef>
#include <span>
#include <string_view>

namespace gemel {

// XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT n]] *|id field value ...
struct XaddArgs {
  size_t id = 0;       // where it is; beyond the arguments: nowhere
  bool about = false;  // trims with "~", by the layout of the node
};
XaddArgs ReadXaddArgs(std::span<const std::string_view> args);

// XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key ... id ...
struct XreadgroupArgs {
  size_t first_key = 0;
  size_t streams = 0;  // so many keys, and then as many IDs; 0: malformed
  bool noack = false;
  size_t block = 0;  // where BLOCK is; 0: nowhere
};
// Of XREAD, too: it has no group.
XreadgroupArgs ReadXreadgroupArgs(std::span<const std::string_view> args);

// Where the IDs end that begin at args[from].
size_t EndOfIds(std::span<const std::string_view> args, size_t from);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_STREAM_ARGS_H_
