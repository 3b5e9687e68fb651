// INFO, CONFIG RESETSTAT.

#include <memory>
#include <new>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "proxy/local/info_text.h"
#include "proxy/local/local_commands.h"
#include "proxy/local/node_answers.h"
#include "proxy/local/worker_orders.h"
#include "proxy/session/errors.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// As one reply.
std::string InfoReply(const LocalCommands& local, const SessionContext& context,
                      const InfoSections& sections, const std::vector<ShardInfoText>& shards) {
  std::string out;
  const Pool& pool = *context.pool;
  AppendVerbatim(&out, InfoText({local.process(), *context.config, pool.config(), pool.table()},
                                sections, shards));
  return out;
}

void Info(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  InfoSections sections(args.subspan(1));
  SessionContext& context = session.context();
  if (!sections.WantsNodes()) {
    session.ReplyNow(InfoReply(local, context, sections, {}));
    return;
  }
  Request* place = session.Reserve(&row);
  NodeAnswers::Begin(
      &context, *place,
      [&local, &context, place, sections = std::move(sections)](std::vector<ShardInfoText> shards) {
        std::string reply;
        try {
          if (place->sink->Wanted()) reply = InfoReply(local, context, sections, shards);
        } catch (const std::bad_alloc&) {
          reply.clear();
        }
        if (reply.empty()) AppendError(&reply, kNoMemory);
        place->sink->OnReply(place, Reply{reply, nullptr});
      });
}

// First it is known what the nodes have counted, then all workers begin anew.
void ConfigResetStat(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs) {
  SessionContext& context = session.context();
  Request* place = session.Reserve(&row);
  NodeAnswers::Begin(&context, *place,
                     [dispatcher = context.dispatcher, baseline = local.process().baseline,
                      place](std::vector<ShardInfoText> shards) {
                       if (baseline != nullptr) baseline->Set(CountersOf(shards));
                       GatherPtr gather = Gather::Make(
                           dispatcher, place, [](const std::vector<PartReply>&, std::string* out) {
                             AppendSimple(out, "OK");
                           });
                       for (uint32_t i = 0; i < dispatcher->workers(); ++i) {
                         gather->AddWorker(i, std::make_unique<WorkerOrder>(ResetStatsOrder{}));
                       }
                       Gather::Launch(std::move(gather));
                     });
}

}  // namespace

LocalHandler InfoHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kInfo:
      return Info;
    case LocalCommand::kConfigResetStat:
      return ConfigResetStat;
    default:
      return nullptr;
  }
}

}  // namespace gemel
