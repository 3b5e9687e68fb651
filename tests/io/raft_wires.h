// The network between voters, and members that ask them, of which a test cuts lines: what is said
// over one that is cut is held, as nobody is told of it, and arrives late once it is healed.

#ifndef GEMEL_TESTS_IO_RAFT_WIRES_H_
#define GEMEL_TESTS_IO_RAFT_WIRES_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gemel::raft_test {

// A process of its own, so that the test may fork others. Places are numbered as the voters; a
// member that asks is at the place i if it is called PlaceName(i).
class Wires {
 public:
  static constexpr size_t kMostPlaces = 8;

  // What is said to 127.0.0.1:outer[i] goes to 127.0.0.1:inner[i].
  Wires(const std::vector<uint16_t>& outer, const std::vector<uint16_t>& inner);
  ~Wires();
  Wires(const Wires&) = delete;
  Wires& operator=(const Wires&) = delete;

  static std::string PlaceName(size_t place) { return "at" + std::to_string(place); }

  // Nothing that is said at `from` comes to `to` from now on; the other way is not touched.
  void Cut(size_t from, size_t to);
  void Heal();

 private:
  struct Shared;

  Shared* shared_;
  pid_t pid_ = 0;
};

}  // namespace gemel::raft_test

#endif  // GEMEL_TESTS_IO_RAFT_WIRES_H_
