// A server that says what a test tells it to, on the test's own thread.

#ifndef GEMEL_TESTS_IO_RAW_SERVER_H_
#define GEMEL_TESTS_IO_RAW_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/files/unique_fd.h"
#include "tests/e2e/free_port.h"

namespace gemel {

class RawServer {
 public:
  RawServer();

  uint16_t port() const { return port_.number(); }
  // Takes connections that wait. Returns how many were ever taken.
  size_t Accept();
  // To the newest connection.
  void Send(std::string_view bytes);
  // What came over the newest connection and was not returned yet.
  std::string Received();
  void CloseAll() { connections_.clear(); }

 private:
  e2e::FreePort port_;
  UniqueFd listener_;
  std::vector<UniqueFd> connections_;
  size_t accepted_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_TESTS_IO_RAW_SERVER_H_
