// A loopback port for a server of a test.

#ifndef GEMEL_TESTS_E2E_FREE_PORT_H_
#define GEMEL_TESTS_E2E_FREE_PORT_H_

#include <cstdint>

namespace gemel::e2e {

// A port that no other test asks for while this one lives, also while its server is down: tests run
// side by side and restart servers on the port they had. Below the range of outgoing connections,
// since otherwise one could take the port of a server that is down, or even connect to itself.
class FreePort {
 public:
  FreePort();
  ~FreePort();
  FreePort(const FreePort&) = delete;
  FreePort& operator=(const FreePort&) = delete;
  uint16_t number() const { return number_; }

 private:
  uint16_t number_ = 0;
  int lock_ = -1;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_FREE_PORT_H_
