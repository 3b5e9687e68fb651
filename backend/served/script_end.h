// Has a script ended that keeps a node busy for longer than [timeouts] request_ms, where the shard
// wishes it. Of gemel's own clients, as far as can be told: one is in line there, or was. And where
// a client wishes it (SCRIPT KILL, FUNCTION KILL), whatever runs on the shard's nodes; or says what
// runs there (FUNCTION STATS). A node that is busy with a script answers these, and its link not.

#ifndef GEMEL_BACKEND_SERVED_SCRIPT_END_H_
#define GEMEL_BACKEND_SERVED_SCRIPT_END_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "backend/resync/control_port.h"
#include "backend/shard/shard.h"

namespace gemel {

// Logic only, on the shard's thread.
class ScriptEnd {
 public:
  // All must outlive it. Takes the shard's requests of kind kKill until Stop.
  ScriptEnd(Shard* shard, ControlPort* port, ShardEnv* env);

  // Asks the node, if the shard wishes it and no answer is to come.
  void Tick(uint32_t copy);
  // What was asked of this copy is not answered any more, and another node may take its place.
  void ForgetCopy(uint32_t copy);
  // Answers who waits.
  void Stop();

 private:
  struct Asked {
    uint64_t round = 0;  // grows when what was asked is of no use any more
    bool waits = false;  // for an answer
  };

  // A client's wish.
  struct Killing {
    Request* request;
    CopyMask left;      // that have not answered
    bool ended;         // a script
    std::string error;  // of a node that runs one, and does not end it
  };

  // A client's question what runs.
  struct Looking {
    Request* request;
    CopyMask left;       // that have not answered
    std::string answer;  // the best so far
  };

  void Kill(Request* request);
  void Look(Request* request);
  void OnLook(uint64_t id, uint32_t copy, const ControlReply& reply);
  // If all have answered, or one that counts; it may be gone then.
  void Settle(std::map<uint64_t, Looking>::iterator looking);
  CopyMask Members() const;
  void OnKilled(uint64_t id, uint32_t copy, const ControlReply& reply);
  // If all have answered; it may be gone then.
  void Settle(std::map<uint64_t, Killing>::iterator killing);
  void Ask(uint32_t copy, const char* kind);
  void OnReply(uint32_t copy, const char* kind, const ControlReply& reply);

  Shard* shard_;
  ControlPort* port_;
  ShardEnv* env_;
  std::vector<Asked> asked_;  // by copy
  std::map<uint64_t, Killing> killings_;
  std::map<uint64_t, Looking> lookings_;
  uint64_t next_wish_ = 0;
  std::string noted_;  // what was last said to it, for the log
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SERVED_SCRIPT_END_H_
