// EXEC under way: what the shard says of the block, what the proxy answers itself, each in its
// place, and the whole as EXEC's reply. The proxy's own commands are carried out behind the block,
// one after the other, and not at all if the block was not executed.

#ifndef GEMEL_PROXY_SESSION_EXEC_REPLY_H_
#define GEMEL_PROXY_SESSION_EXEC_REPLY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/request.h"
#include "proxy/session/session.h"
#include "proxy/session/transaction.h"

namespace gemel {

// Owns itself from Begin on, and is gone when it has answered.
class ExecReply : public RequestSink, private LocalAnswers {
 public:
  // `place` is reserved in the session's line and gets the reply, of the session's protocol as it
  // is then. `block` is what was queued; `element_of[i]` is the place of command i among the
  // elements of the shard's answer (of a command that the proxy answers itself it does not matter).
  // `ticket`: of what the session watched, which is over with the answer; may be null.
  ExecReply(Session* session, Request* place, std::unique_ptr<QueuedBlock> block,
            std::vector<uint32_t> element_of, std::shared_ptr<WatchTicket> ticket);

  // The request that brings the block to its shard, whose sink this is; or, with null, there is
  // none: may answer before it returns.
  static void Begin(std::unique_ptr<ExecReply> reply, Request* request);

 private:
  void OnReply(Request* request, const Reply& reply) override;
  void OnHeld(int64_t bytes) override { place_->sink->OnHeld(bytes); }
  bool Wanted() const override { return place_->sink->Wanted(); }
  // LocalAnswers
  void Answer(std::string_view frame) override;
  Request* Reserve(const CommandRow* row) override;

  void RenewLibraries();
  void OnBlock(std::string_view reply);
  void GoOn();
  // What the shard said to one of its commands.
  void AppendOfShard(const CommandRow& row, std::string_view element);
  // False: its answer comes later.
  bool RunLocal(const QueuedBlock::Command& command);
  void Append(std::string_view of_nodes);
  // A command of it was carried out.
  void Count(const QueuedBlock::Command& command, std::string_view reply);
  void TellMonitors(const QueuedBlock::Command& command);
  void Finish(std::string_view reply);

  Session* session_;
  Request* place_;
  std::unique_ptr<QueuedBlock> block_;
  std::vector<uint32_t> element_of_;
  std::shared_ptr<WatchTicket> ticket_;
  uint32_t shard_ = 0;          // the slot
  Request* request_ = nullptr;  // the block's
  std::string from_shard_;
  std::vector<std::string_view> elements_;  // of it
  std::string whole_;
  size_t next_ = 0;                     // command
  std::vector<std::string_view> args_;  // its, if it is local
  bool running_ = false;                // its handler
  bool answered_ = false;
  bool no_memory_ = false;
  const uint64_t begun_us_;
  uint64_t took_us_ = 0;      // the whole block
  std::string monitor_args_;  // EXEC's own line, which comes behind those of its commands
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_EXEC_REPLY_H_
