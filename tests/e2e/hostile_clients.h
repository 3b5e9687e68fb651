// Clients that mean harm, beside those of a Load.

#ifndef GEMEL_TESTS_E2E_HOSTILE_CLIENTS_H_
#define GEMEL_TESTS_E2E_HOSTILE_CLIENTS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace gemel::e2e {

// Each kind on a thread of its own, visit after visit: they do not read, do not end their requests,
// ask for what no link can carry, leave in the middle, guess passwords, give orders without end. No
// kind asks for what would make the others of Redis itself wait for long.
class HostileClients {
 public:
  // What they ask for must be there: see Fill.
  HostileClients(uint16_t port, unsigned seed);
  ~HostileClients() { Stop(); }

  // Writes the values that they read, none larger than a megabyte.
  static void Fill(uint16_t port);
  // Visits end first.
  void Stop();
  // The kinds that have not ended a visit yet.
  std::string Unseen() const;

 private:
  struct Visitor {
    std::atomic<uint64_t> visits{0};
    std::thread thread;
  };
  void Work(size_t kind, unsigned seed);

  const uint16_t port_;
  std::atomic<bool> stop_{false};
  std::vector<Visitor> visitors_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_HOSTILE_CLIENTS_H_
