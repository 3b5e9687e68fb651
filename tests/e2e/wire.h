// A client's connection that gives whole replies as the bytes they are, of either protocol.

#ifndef GEMEL_TESTS_E2E_WIRE_H_
#define GEMEL_TESTS_E2E_WIRE_H_

#include <string>
#include <string_view>

#include "tests/e2e/client.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e {

// Functions throw std::runtime_error where the connection fails, or says nothing for a minute.
class Wire {
 public:
  explicit Wire(uint16_t port) : socket_(port) {}

  std::string Ask(const Words& words) {
    Send(Encode(words));
    return Read();
  }
  void Send(std::string_view bytes) { socket_.Send(bytes); }
  // One reply. It is read without anything of the program under test.
  std::string Read();
  std::string ReadUntilClosed() { return socket_.ReadUntilClosed(); }

 private:
  std::string ReadLine();

  RawSocket socket_;
};

// Words are apart by spaces; "" is an empty one, and \_ is a space in one.
Words WordsOf(const std::string& line);
// What is another number each time, of more digits or fewer, is 0.
std::string WithoutDigits(const std::string& text);

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_WIRE_H_
