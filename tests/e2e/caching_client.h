// A client that keeps what it has read until it is told that it changed, as a client with a cache
// does.

#ifndef GEMEL_TESTS_E2E_CACHING_CLIENT_H_
#define GEMEL_TESTS_E2E_CACHING_CLIENT_H_

#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "tests/e2e/wire.h"

namespace gemel::e2e {

// Of RESP3. Throws as Wire does.
class CachingClient {
 public:
  // `tracking`: what follows CLIENT TRACKING ON.
  explicit CachingClient(uint16_t port, const Words& tracking = {}) : wire_(port) {
    wire_.Ask({"HELLO", "3"});
    Words words = {"CLIENT", "TRACKING", "ON"};
    words.insert(words.end(), tracking.begin(), tracking.end());
    if (const std::string said = Ask(words); said != "+OK\r\n") throw std::runtime_error(said);
  }

  // The reply; what is told in front of it is heard.
  std::string Ask(const Words& words) {
    wire_.Send(Encode(words));
    for (;;) {
      std::string text = wire_.Read();
      if (text[0] != '>') return text;
      Hear(text);
    }
  }
  // Waits for something that is told.
  void Await() { Hear(wire_.Read()); }

  // Reads the key, and keeps what it reads.
  std::string Get(const std::string& key) {
    std::string value = Ask({"GET", key});
    if (value[0] != '-') cache_[key] = value;
    return value;
  }
  bool Has(const std::string& key) const { return cache_.contains(key); }
  const std::map<std::string, std::string>& cache() const { return cache_; }
  // How often it was told of a key; of all keys.
  size_t keys_told() const { return keys_told_; }
  size_t all_told() const { return all_told_; }

 private:
  void Hear(const std::string& text) {
    const std::string head = ">2\r\n$10\r\ninvalidate\r\n";
    if (!text.starts_with(head)) throw std::runtime_error("not told that: " + text);
    if (text == head + "_\r\n") {
      ++all_told_;
      cache_.clear();
      return;
    }
    size_t at = head.size() + 1;
    for (size_t left = std::stoul(text.substr(at)); left > 0; --left) {
      at = text.find('$', at) + 1;
      const size_t size = std::stoul(text.substr(at));
      at = text.find("\r\n", at) + 2;
      cache_.erase(text.substr(at, size));
      at += size;
      ++keys_told_;
    }
  }

  Wire wire_;
  std::map<std::string, std::string> cache_;
  size_t keys_told_ = 0;
  size_t all_told_ = 0;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_CACHING_CLIENT_H_
