// Replies as trees, and what two of them must have in common.

#ifndef GEMEL_TESTS_E2E_REPLY_ORACLE_VALUE_H_
#define GEMEL_TESTS_E2E_REPLY_ORACLE_VALUE_H_

#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/client.h"

namespace gemel::e2e::reply_oracle_test {

// A reply of either protocol.
struct Value {
  char type = 0;                  // its first byte
  std::string text;               // of a bulk its bytes, else the rest of its line
  std::vector<Value> items = {};  // of a map: names and values in turn
  std::string_view bytes = {};    // the whole of it, in what was parsed

  bool IsError() const { return type == '-' || type == '!'; }
};

// What it refers to must outlive it.
Value ParseReply(std::string_view bytes);

// How replies of a command are compared. Whatever it is: equal bytes are equal.
enum class Likeness {
  kBytes,
  kFirstByte,      // a text or a table about the server itself
  kShape,          // types, lengths of arrays, which are null
  kSeconds,        // within five seconds
  kMilliseconds,   // the same
  kUnordered,      // the order is that of a hash table, whose seed is the server's own
  kDeepUnordered,  // the same at any depth
  kPairs,          // the same of names and values
  kCursor,         // a part of a hash table
  kIdleTimes,      // how long ago something was
  kDump,           // RDB of a value
  kScriptError,    // where it was found is not told alike
};

// Of the command, by its row and its words.
Likeness LikenessOf(std::string_view row, const Words& words);

bool Alike(Likeness likeness, const Value& gemel, const Value& redis);

// For a failure: bytes as they would be in C, shortened.
std::string Shown(std::string_view bytes, size_t most = 1500);

}  // namespace gemel::e2e::reply_oracle_test

#endif  // GEMEL_TESTS_E2E_REPLY_ORACLE_VALUE_H_
