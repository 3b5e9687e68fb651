// WAIT: of the shards that the client has asked anything of, how many copies have what it wrote.

#include <algorithm>
#include <limits>

#include "backend/command/ascii.h"
#include "backend/command/blocking.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/sync_waits.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// The shard with the fewest says it for all.
void FinishWait(const SyncTicket& ticket, const std::vector<PartReply>& parts, std::string* out) {
  int64_t fewest = std::numeric_limits<int64_t>::max();
  for (const PartReply& part : parts) {
    int64_t copies = 0;
    if (!ParseInteger(part.reply.substr(1, part.reply.size() - 3), &copies)) copies = 0;
    fewest = std::min(fewest, copies);
  }
  if (ticket.with_error) {
    AppendError(out, kUnblockedByClient);
  } else {
    AppendInteger(out, fewest);
  }
}

void Wait(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const SessionContext& context = session.context();
  int64_t wanted = 0;
  uint64_t timeout_ms = 0;
  if (!ParseInteger(args[1], &wanted)) {
    session.ReplyError("ERR value is not an integer or out of range");
    return;
  }
  if (std::string wrong; !ReadTimeoutMs(args[2], &timeout_ms, &wrong)) {
    session.ReplyError(wrong);
    return;
  }
  auto ticket = std::make_shared<SyncTicket>();
  Request* place = session.Reserve(&row);
  GatherPtr gather = Gather::Make(context.dispatcher, place,
                                  [ticket](const std::vector<PartReply>& parts, std::string* out) {
                                    FinishWait(*ticket, parts, out);
                                  });
  for (const PoolShard& shard : context.pool->shards()) {
    if (!session.pace().MayHaveAsked(shard.slot)) continue;
    auto cargo = std::make_unique<SyncCargo>();
    cargo->wanted = wanted;
    cargo->timeout_ms = timeout_ms;
    cargo->ticket = ticket;
    gather->AddApart(shard.slot, RequestKind::kSync, std::move(cargo));
  }
  session.commands().AwaitSync(place, ticket);
  Gather::Launch(std::move(gather));
}

}  // namespace

LocalHandler WaitHandler(LocalCommand command) {
  return command == LocalCommand::kWait ? Wait : nullptr;
}

}  // namespace gemel
