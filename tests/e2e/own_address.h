// An address of this machine that is none of loopback: who connects to it comes from it.

#ifndef GEMEL_TESTS_E2E_OWN_ADDRESS_H_
#define GEMEL_TESTS_E2E_OWN_ADDRESS_H_

#include <string>

namespace gemel::e2e {

// A v4 address. Throws std::runtime_error if there is none.
std::string OwnAddress();

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_OWN_ADDRESS_H_
