// A TCP connection on which a test sends and reads any bytes.

#ifndef GEMEL_TESTS_E2E_RAW_SOCKET_H_
#define GEMEL_TESTS_E2E_RAW_SOCKET_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::e2e {

// A command as clients send it: an array of bulk strings.
std::string Encode(const std::vector<std::string>& words);

// Functions throw std::runtime_error where the connection fails, or says nothing for a minute.
class RawSocket {
 public:
  explicit RawSocket(uint16_t port);
  ~RawSocket();
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  void Send(std::string_view bytes);
  // As much as the kernel takes without waiting; returns how much.
  size_t SendSome(std::string_view bytes);
  std::string Read(size_t count);  // exactly so many bytes
  std::string ReadUntilClosed();   // also after a reset
  // No more bytes from this side; the other may still send.
  void CloseWriting();

 private:
  int fd_ = -1;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_RAW_SOCKET_H_
