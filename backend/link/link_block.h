// A block (a transaction that is sent as one: MULTI, commands, EXEC) in a link's line: it has a
// place for each of its commands, of which only the last, EXEC's, is an item's. The answers to the
// others go to nobody, but what they complain of is why EXEC executes nothing.

#ifndef GEMEL_BACKEND_LINK_LINK_BLOCK_H_
#define GEMEL_BACKEND_LINK_LINK_BLOCK_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace gemel {

// Logic only, the link's thread.
class LinkBlock {
 public:
  // How many commands stand before EXEC in the block, MULTI counted.
  static size_t PartsOf(std::string_view block);

  // The answer to one of them; the first is MULTI. Empty; or why the connection cannot be used any
  // more: the node did not take MULTI, so that it executes each command by itself.
  std::string OnPart(bool first, std::string_view reply);
  // An error that answers EXEC, as its item is to get it: the one with which the node refused what
  // was queued, without "EXECABORT". Empty: the node did not end the transaction. Valid until the
  // next call.
  std::string_view OnExecError(std::string_view reply);

 private:
  std::string error_;  // the first one since MULTI
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_BLOCK_H_
