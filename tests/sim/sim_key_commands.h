// The commands that a simulated node knows about keys, and what comes of them.

#ifndef GEMEL_TESTS_SIM_SIM_KEY_COMMANDS_H_
#define GEMEL_TESTS_SIM_SIM_KEY_COMMANDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/sim_keyspace.h"

namespace gemel::sim {

// Replies as a node writes them.
std::string Simple(std::string_view text);
std::string Integer(int64_t value);
std::string Bulk(std::string_view text);

class KeyCommands {
 public:
  using Args = std::vector<std::string>;

  // `loop`: for what a node makes up.
  KeyCommands(Loop* loop, Keyspace* keys) : loop_(loop), keys_(keys) {}

  // It changes data.
  static bool IsWrite(const std::string& name);
  // What SCAN, DBSIZE and FLUSHDB are about from now on.
  void Select(uint8_t database) { selected_ = database; }
  // A command that reads or writes keys: the reply; none if it is not known here.
  std::optional<std::string> Execute(const Args& args);
  // What came of a write, in commands that have the same effect on every copy at any time.
  std::vector<Args> EffectOf(const Args& args) const;

 private:
  Args StateOf(const std::string& key) const;

  std::string Get(const Args& args);
  std::string Dump(const Args& args);
  std::string Ttl(const Args& args);
  std::string Debug(const Args& args);
  std::string Scan(const Args& args);
  std::string Set(const Args& args);
  std::string Delete(const Args& args);
  std::string Increment(const Args& args);
  std::string Append(const Args& args);
  std::string AddToSet(const Args& args);
  std::string AddToStream(const Args& args);
  std::string Mix(const Args& args);
  std::string Copy(const Args& args);
  std::string Restore(const Args& args);
  std::string Expire(const Args& args);
  std::string Persist(const Args& args);
  std::string Flush(const Args& args);
  std::string Other(const Args& args);

  Loop* loop_;
  Keyspace* keys_;
  uint8_t selected_ = 0;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_KEY_COMMANDS_H_
