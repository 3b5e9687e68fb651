// What is asked of an acceptor, what it answers, and the way there.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_MESSAGES_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_MESSAGES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/paxos/ballot.h"

namespace gemel {

struct PaxosAsk {
  enum class Kind : uint8_t {
    kHello,    // who are you?
    kOffer,    // be ready to become an acceptor: `text` is its nonce unless it offers one already,
               // which is not `nonce`; only if it is the acceptor `name`, or none
    kInstall,  // this config holds now (`text`); who offered `nonce` becomes an acceptor by it
    kResume,   // it was restarted in place of the run `name`, and keeps what it answered
    kRead,     // what has it accepted last?
    kPrepare,
    kAccept,
    kNames,  // which registers that begin so has it ever accepted a value of?
  };
  Kind kind = Kind::kHello;
  std::string nonce = {};  // of the acceptor that is meant; of kOffer an offer that is void
  uint64_t epoch = 0;      // of the config of who asks
  std::string config_id = {};
  // The register; of kNames the prefix, of kOffer the nonce that was seen there, of kResume the
  // run.
  std::string name = {};
  Ballot ballot = {};
  std::string text = {};  // kAccept: the value, encoded; kInstall: the config, encoded

  // The command's arguments for the script (acceptor_script.h), the key not among them.
  std::vector<std::string> ToArgs() const;
};

struct PaxosAnswer {
  enum class Kind : uint8_t {
    kSilent,     // none came, or an error: it may have been carried out all the same
    kOk,         // done
    kConflict,   // it has promised or accepted `promised`, which is not lower
    kAbout,      // to kHello and kOffer
    kStranger,   // it is not the acceptor that is meant: it lost its data, or has another's
    kRestarted,  // it is, but its process is another than the one that became it
    kOther,      // it is in a later config (`config`), or in another one of this epoch
    kBehind,     // it is in an earlier config
  };
  Kind kind = Kind::kSilent;
  std::string why = {};  // kSilent: a phrase
  // kSilent: the maxmemory-policy for which it neither becomes an acceptor nor is one, as long as
  // it has that.
  std::string evicts = {};
  Ballot promised = {};  // kOk of kRead, kConflict
  Ballot accepted = {};  // kOk of kRead and kPrepare
  std::string value = {};
  std::vector<std::string> names = {};
  // From kAbout on: what it knows of itself.
  std::string nonce = {};
  uint64_t epoch = 0;
  std::string offer = {};
  std::string config = {};
  std::string run = {};  // in which it became an acceptor or offered to; empty: in another's data
  std::string me = {};   // the process that answers
  // Nonces, each with a space, by which it began to be one while the registers were founded, and
  // never was.
  std::string voided = {};

  // Of the script's reply: an array of texts, as RESP2 has it. What is no such reply is kSilent.
  static PaxosAnswer Parse(PaxosAsk::Kind asked, std::string_view frame);

  bool operator==(const PaxosAnswer&) const = default;
};

// The nodes and the time, for the logic. One thread.
class PaxosPort {
 public:
  using Done = std::function<void(const PaxosAnswer&)>;

  virtual ~PaxosPort() = default;

  // `done` runs once, later, never inside this call, within a time of the port's own; not at all if
  // the port is destroyed first.
  virtual void Ask(const std::string& node, const PaxosAsk& ask, Done done) = 0;
  virtual void After(uint64_t ms, std::function<void()> call) = 0;
  // Whether the node is known to keep through a restart all that it answered.
  virtual bool Keeps(const std::string& node) const = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_MESSAGES_H_
