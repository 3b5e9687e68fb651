// A Redis client for tests: hiredis, with replies as values.

#ifndef GEMEL_TESTS_E2E_CLIENT_H_
#define GEMEL_TESTS_E2E_CLIENT_H_

#include <hiredis/hiredis.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::e2e {

using Words = std::vector<std::string>;

// A reply as one line: a status or bulk as it is, ":1", "(nil)", "-ERR ...", "[a :1 (nil)]".
struct Reply {
  enum class Kind { kStatus, kError, kInteger, kBulk, kNil, kArray };
  Kind kind = Kind::kNil;
  std::string bytes;  // of a status, an error (without '-') or a bulk
  int64_t integer = 0;
  std::vector<Reply> items;

  bool IsError() const { return kind == Kind::kError; }
  std::string Text() const;
  // Of a flat array of names and values: the value of `name`. Throws if there is none.
  const Reply& Field(std::string_view name) const;
};

inline bool operator==(const Reply& reply, std::string_view text) { return reply.Text() == text; }
inline std::ostream& operator<<(std::ostream& out, const Reply& reply) {
  return out << reply.Text();
}

// A connection. Every function throws std::runtime_error when the connection fails or is closed, or
// says nothing for a minute.
class Client {
 public:
  explicit Client(uint16_t port);
  // To an address of this machine other than loopback.
  static Client OnAddress(const std::string& host, uint16_t port);
  static Client OnUnixSocket(const std::string& path);

  Reply Run(const Words& words);
  template <typename... Rest>
  Reply operator()(std::string first, Rest... rest) {
    return Run(Words{std::move(first), std::string(rest)...});
  }

  // Pipelining: sends nothing until the next Read.
  void Append(const Words& words);
  Reply Read();
  // Sends what was appended, without reading.
  void Flush();
  // The other side has closed: nothing more to read.
  bool IsClosed();
  // Says that no more comes, and waits until the other side has closed for that. False if it has
  // answered something, or is gone.
  bool Leave();

 private:
  struct Free {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  // Takes it over; `name` is for the error.
  Client(redisContext* context, const std::string& name);

  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_CLIENT_H_
