// How a link introduces itself to a node, and who that is: the questions and what their answers
// say.

#ifndef GEMEL_BACKEND_LINK_LINK_HANDSHAKE_H_
#define GEMEL_BACKEND_LINK_LINK_HANDSHAKE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/link/link_options.h"
#include "backend/link/node_identity.h"
#include "backend/link/turn_fence.h"

namespace gemel {

// Logic only, the link's thread. After Begin and after each OnReply the link sends what TakeAsks
// gives, until the handshake is done().
class LinkHandshake {
 public:
  // `options` outlives it.
  explicit LinkHandshake(const LinkOptions* options) : options_(options) {}

  // A connection is made. `first`: none was up before.
  void Begin(bool first);
  // Frames that are to be sent now, in this order; each is answered.
  std::vector<std::string> TakeAsks() { return std::exchange(asks_, {}); }
  // The answer to the oldest that has none. Returns why the connection is to be ended (a sentence
  // without a full stop), or nothing.
  std::string OnReply(std::string_view reply);
  // Nothing is to be asked any more.
  bool done() const { return steps_.empty(); }
  // The connection ended, which was up, or not.
  void End(bool was_up);

  const NodeIdentity& identity() const { return identity_; }
  // The node was made a master of its own on purpose: its id from now on.
  void set_run_id(std::string run_id) {
    identity_.run_id = std::move(run_id);
    identity_.is_replica = false;
  }

 private:
  enum class Step : uint8_t {
    kAuth,
    kSelect,
    kPing,
    kInfo,
    kFsync,
    kFsyncOnRewrite,
    kLimits,
    kClientId,
    kSetName,
    kMayEndOthers,
    kEndEarlier,
    kKillOld,
    kClientList,
    kKillOrphan,
    kRole,
    kSize,
    kKeyspace,
    kSelectLast,
    kSelectFirst,
    kMulti,
    kExec,
    kHello,
  };
  using Answer = std::string (LinkHandshake::*)(std::string_view reply);
  struct Row {
    Step step;
    Answer answer;
  };
  static const Row kRows[];

  void Ask(Step step, const std::vector<std::string_view>& args);
  void AskForState();
  void KillOldConnection();
  void KillOrphans(std::string_view client_list);
  std::string LookForOthers(std::string_view client_list);
  std::string EndEarlierTurns(std::string_view client_list);
  // Only a process that knows which connection is its own can end the others.
  bool MayKillOrphans() const { return options_->after_crash && first_ && client_id_ != 0; }

  // What an answer says. Each returns why the connection is to be ended, or nothing.
  std::string OnMustBeOk(std::string_view reply);
  std::string OnNoMatter(std::string_view) { return {}; }
  std::string OnInfo(std::string_view reply);
  std::string OnFsync(std::string_view reply) { return OnKeepsWrites(reply, "always"); }
  std::string OnFsyncOnRewrite(std::string_view reply) { return OnKeepsWrites(reply, "no"); }
  std::string OnKeepsWrites(std::string_view reply, std::string_view wanted);
  std::string OnLimits(std::string_view reply);
  std::string OnClientId(std::string_view reply);
  std::string OnKillOld(std::string_view reply);
  std::string OnSetName(std::string_view reply);
  std::string OnMayEndOthers(std::string_view reply);
  std::string OnClientList(std::string_view reply);
  std::string OnRole(std::string_view reply);
  std::string OnSize(std::string_view reply);
  std::string OnKeyspace(std::string_view reply);
  std::string OnSelectLast(std::string_view reply);
  std::string OnExec(std::string_view reply);
  std::string OnHello(std::string_view reply);

  const LinkOptions* options_;
  bool first_ = true;
  std::vector<Step> steps_;        // answers still to come, the next one last
  std::vector<std::string> asks_;  // not taken yet
  NodeIdentity identity_;
  TurnFence fence_;
  int64_t client_id_ = 0;  // what the node calls this connection; 0: not known
  // The same of the last connection that was up, and its process, until it is surely over.
  int64_t old_client_id_ = 0;
  std::string old_process_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_HANDSHAKE_H_
