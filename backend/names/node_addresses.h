// Which of the addresses of a node's host to dial. All connections to one node share it, so that
// they lead to one server: the link's, the probe's and the control connection.

#ifndef GEMEL_BACKEND_NAMES_NODE_ADDRESSES_H_
#define GEMEL_BACKEND_NAMES_NODE_ADDRESSES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace gemel {

// Is it an address of this machine that no other one reaches, in numbers?
bool IsLoopback(const std::string& number);
// Is it an address in numbers, with or without a zone, and no name?
bool IsNumber(const std::string& host);

// One loop, one thread. Addresses are in numbers, without the port.
class NodeAddresses {
 public:
  // The wait for a connection before the next address is tried; it doubles with each failure.
  static constexpr uint64_t kPatienceMs = 250;
  static constexpr uint64_t kMaxPatienceMs = 2000;

  // What a lookup found. Those that were known keep their order: name servers like to turn it. No
  // addresses: nothing changes.
  void Learn(const std::vector<std::string>& found);
  bool known() const { return !known_.empty(); }

  // In which order to try: while the link holds one, that one alone; else those that did not fail,
  // the one that worked last before all, then those that failed, the one longest ago first.
  std::vector<std::string> ToTry() const;
  // How long to wait for that one if there are others.
  uint64_t PatienceMs(const std::string& number) const;

  void OnConnected(const std::string& number);
  void OnFailed(const std::string& number, uint64_t now_ms);
  // All were tried: who dials next wants a newer answer than this.
  void OnAllFailed(uint64_t now_ms) { failed_ms_ = now_ms; }
  uint64_t failed_ms() const { return failed_ms_; }

  // The link is connected there: nobody dials another one until Release. True if that is not where
  // connections led to before.
  bool Hold(const std::string& number);
  void Release() { held_.clear(); }
  const std::string& held() const { return held_; }
  // Where a connection was last made to; empty: none was.
  const std::string& last() const { return last_; }

 private:
  struct Known {
    std::string number;
    uint64_t failed_ms = 0;  // 0: it did not, or has worked since
    uint32_t failures = 0;
  };
  Known* Find(const std::string& number);

  std::vector<Known> known_;
  std::string last_;
  std::string held_;
  uint64_t failed_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_NAMES_NODE_ADDRESSES_H_
