// What the log of the voters amounts to: the registers, and which writes were done already. The
// same log gives the same state everywhere, so nothing here knows a clock, or chance.

#ifndef GEMEL_BACKEND_RAFT_RAFT_STATE_H_
#define GEMEL_BACKEND_RAFT_RAFT_STATE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/fleet/registers.h"
#include "backend/raft/raft_messages.h"

namespace gemel {

class RaftState {
 public:
  // Clients whose writes are remembered. Who wrote least recently is forgotten first: what it
  // repeats meets its own write, or the one after it, and is not done either, for no version comes
  // twice; it only looks like a conflict.
  static constexpr size_t kMostClients = 1024;
  // Of one client, however low it says that its floor is.
  static constexpr size_t kMostPerClient = 4096;

  struct Result {
    bool done = false;
    uint64_t version = 0;  // written, or there

    bool operator==(const Result&) const = default;
    // As one number, which the log's library hands through.
    uint64_t Packed() const { return version << 1 | (done ? 1 : 0); }
    static Result Unpacked(uint64_t packed) { return {(packed & 1) != 0, packed >> 1}; }
  };

  // The next command of the log. What was applied before gives what it gave then.
  Result Apply(const RaftCommand& command);

  RegisterValue Read(const std::string& name) const;
  // Of a higher version than `since`: versions count over all registers.
  std::vector<NamedRegister> List(std::string_view prefix, uint64_t since = 0) const;

  std::string Snapshot() const;
  // False: those bytes are no snapshot, and nothing has changed.
  bool Restore(std::string_view bytes);

  bool operator==(const RaftState&) const = default;

 private:
  struct Client {
    uint64_t used = 0;
    uint64_t floor = 0;
    std::map<uint64_t, Result> results;  // by seq

    bool operator==(const Client&) const = default;
  };

  Client* Touch(uint64_t client);
  Result Change(const RaftCommand& command);

  std::map<std::string, RegisterValue, std::less<>> registers_;
  std::map<uint64_t, Client> clients_;
  uint64_t version_ = 0;  // the last one given, of any register
  uint64_t used_ = 0;     // counts commands, for `Client::used`
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_RAFT_STATE_H_
