// What a consensus engine gives to a fleet: registers by name, each changed by compare-and-set in
// one order for all members. Everything that a fleet agrees on is kept in them (fleet_records.h).

#ifndef GEMEL_BACKEND_FLEET_REGISTERS_H_
#define GEMEL_BACKEND_FLEET_REGISTERS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/topology/coordinator.h"

namespace gemel {

// What a register holds. Of one register equal versions are equal texts, and later ones are higher.
struct RegisterValue {
  std::string text;
  uint64_t version = 0;  // 0: it was never written

  bool operator==(const RegisterValue&) const = default;
};

struct NamedRegister {
  std::string name;
  RegisterValue value;

  bool operator==(const NamedRegister&) const = default;
};

enum class RegisterOutcome : uint8_t {
  kDone,
  kConflict,     // of a write: the register has another version than was expected; nothing was done
  kUnknown,      // of a write: it may have been done, or may be done later still
  kUnreachable,  // nothing was done, and nothing will be: the engine cannot be reached, or refused
};

// How an engine does, for people. What is not known is left out.
struct EngineStatus {
  enum class Contact : uint8_t {
    kNotAsked,  // not since long
    kReached,
    kNot,
  };
  struct Server {
    std::string name;  // its address
    Contact contact = Contact::kNotAsked;
    // Entries of the log that the servers know to be agreed, and this one does not have applied.
    std::optional<uint64_t> lag;

    bool operator==(const Server&) const = default;
  };

  // The server that decides for the others, as the engine names it; empty: none is known.
  std::string leader;
  bool leaderless = false;  // the engine never has one: any majority of its servers decides
  std::vector<Server> servers;
  // From the last question that was answered until its answer, with all that was tried for it.
  std::optional<uint64_t> answer_ms;
  // What has become of the last ChangeServers, a phrase; empty: there was none. Nothing where the
  // servers are not the fleet's to be changed.
  std::optional<std::string> change;

  bool operator==(const EngineStatus&) const = default;
};

// One thread's. Every question is answered once, later, never inside the call; those that are under
// way when it goes are not answered. A question takes at most the engine's own time limit.
//
// A name has the characters a-z, A-Z, 0-9, '.', '_', '-' and '/', 1 to 200 of them. A text is any
// bytes, at most kMaxText of them.
class Registers {
 public:
  static constexpr size_t kMaxText = 512 * 1024;

  using ReadDone = std::function<void(RegisterOutcome outcome, const RegisterValue& value)>;
  using ListDone =
      std::function<void(RegisterOutcome outcome, const std::vector<NamedRegister>& all)>;
  // `version` is the one written, or of a conflict the one that is there; 0: not known.
  using WriteDone = std::function<void(RegisterOutcome outcome, uint64_t version)>;

  virtual ~Registers() = default;

  // Linearizable: sees every write that was answered before it was asked. kDone or kUnreachable.
  virtual void Read(const std::string& name, ReadDone done) = 0;
  // All that were ever written whose names begin so, in the order of their names; each as by Read,
  // but not all of one moment. kDone or kUnreachable.
  virtual void List(const std::string& prefix, ListDone done) = 0;
  // The same for who knows what List or this has said before, and the highest version among it,
  // `since`: an engine whose versions count over all registers may leave out what is no newer.
  virtual void ListSince(const std::string& prefix, uint64_t since, ListDone done) {
    (void)since;
    List(prefix, std::move(done));
  }
  // Writes `text` if the version is `expected`; 0: if it was never written. Linearizable.
  virtual void Write(const std::string& name, uint64_t expected, const std::string& text,
                     WriteDone done) = 0;

  // Runs soon after any register may have changed, and once contact is there again that was lost:
  // then is the time to List. An engine that cannot tell never calls it, so who cares lists now and
  // then besides. Null: nobody.
  virtual void set_on_change(std::function<void()> on_change) = 0;

  // For people: "etcd at 127.0.0.1:2379".
  virtual std::string place() const = 0;
  // Why the engine could not be reached last, a sentence without a full stop; empty: it was.
  virtual std::string trouble() const = 0;
  // Of what is known here, or asked by the engine now and then: asks nothing.
  virtual EngineStatus Status() const { return {}; }
  // Where the fleet's own nodes keep the registers: these are they by the plan of that version.
  // Those of an older one say nothing.
  virtual void Follow(uint64_t plan, const std::vector<std::string>& nodes) {
    (void)plan;
    (void)nodes;
  }
  // Where servers that keep the registers hold other data, too: the whole data of this one is about
  // to be overwritten, in the next seconds. False: it does not matter, nothing is called. `done`
  // runs later, once: then it may be, or why not.
  virtual bool Release(const std::string& node, ReleaseDone done) {
    (void)node;
    (void)done;
    return false;
  }
  // Where the servers are members' (see EngineStatus::change): that one is to be one of them from
  // now on, or not any more. Status tells what becomes of it.
  virtual void ChangeServers(bool add, const std::string& server) {
    (void)add;
    (void)server;
  }
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_REGISTERS_H_
