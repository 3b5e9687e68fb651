// SAVE, BGSAVE, BGREWRITEAOF and LASTSAVE, of all nodes; and MEMORY PURGE.

#include <algorithm>
#include <charconv>
#include <map>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/ask_nodes.h"
#include "proxy/local/help_reply.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// What a node says that is at it already.
bool IsUnderWay(const ControlReply& reply) {
  return reply.error.find("already in progress") != std::string::npos;
}

std::string ErrorOfNode(const ControlReply& reply, const NodeSaid& said) {
  std::string error = reply.refused ? reply.error : "ERR " + reply.error;
  return error + OfNode(said);
}

// The answer if the nodes do as they are told: what the first of them says. Else the error: none
// can be told, one does not do it, or all are at it already.
std::string OfAllNodes(const std::vector<NodeSaid>& all, std::string* error) {
  std::string first;
  std::string under_way;
  for (const NodeSaid& said : all) {
    for (const ControlReply& reply : said.answer.replies) {
      if (reply.ok) {
        if (first.empty()) first = reply.text;
      } else if (IsUnderWay(reply)) {
        under_way = reply.error;
      } else if (error->empty()) {
        *error = ErrorOfNode(reply, said);
      }
    }
  }
  if (!error->empty() || !first.empty()) return first;
  *error = under_way.empty() ? "ERR no node is connected that could be told" : under_way;
  return {};
}

// Tells all nodes, and answers with what they say.
void TellNodes(Session& session, const CommandRow& row, NodesOrder::Command command) {
  Request* place = session.Reserve(&row);
  NodesOrder order;
  order.commands = {std::move(command)};
  AskNodes(&session.context(), *place, order, [place](const std::vector<NodeSaid>& all) {
    std::string error;
    const std::string answer = OfAllNodes(all, &error);
    std::string out;
    error.empty() ? AppendSimple(&out, answer) : AppendError(&out, error);
    AnswerPlace(place, out);
  });
}

void BgSave(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() > 2 || (args.size() == 2 && !EqualsLower(args[1], "schedule"))) {
    session.ReplyError("ERR syntax error");
    return;
  }
  TellNodes(session, row, {args.begin(), args.end()});
}

// BGREWRITEAOF, MEMORY PURGE: as the client says it.
void TellAsAsked(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  TellNodes(session, row, {args.begin(), args.end()});
}

// A node that SAVEs answers nobody meanwhile. So each saves in the background, and the client waits
// for them.
void Save(LocalCommands&, Session& session, const CommandRow& row, LocalArgs) {
  Request* place = session.Reserve(&row);
  session.Await(place);
  NodesOrder order;
  order.commands = {{"BGSAVE"}};
  order.poll = {"INFO", "persistence"};
  order.while_has = "rdb_bgsave_in_progress:1";
  AskNodes(&session.context(), *place, order, [place](std::vector<NodeSaid> all) {
    std::string error;
    for (NodeSaid& said : all) {
      if (said.answer.away || said.answer.replies.size() < 2) continue;
      const ControlReply saved = std::move(said.answer.replies.back());
      said.answer.replies.pop_back();
      if (!saved.ok) {
        error = ErrorOfNode(saved, said);
      } else if (saved.text.find("rdb_last_bgsave_status:ok") == std::string::npos) {
        error = "ERR saving failed, see the log of the node" + OfNode(said);
      }
    }
    OfAllNodes(all, &error);
    std::string out = "+OK\r\n";
    if (!error.empty()) {
      out.clear();
      AppendError(&out, error);
    }
    AnswerPlace(place, out);
  });
}

// Of each shard that of the copy that saved last, and of the shards the one that is behind.
void LastSave(LocalCommands&, Session& session, const CommandRow& row, LocalArgs) {
  Request* place = session.Reserve(&row);
  NodesOrder order;
  order.commands = {{"LASTSAVE"}};
  AskNodes(&session.context(), *place, order, [place](const std::vector<NodeSaid>& all) {
    std::map<std::string, int64_t> newest;
    std::string error;
    for (const NodeSaid& said : all) {
      int64_t& at = newest[said.shard];
      for (const ControlReply& reply : said.answer.replies) {
        int64_t time = 0;
        std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), time);
        if (reply.ok) at = std::max(at, time);
        if (!reply.ok && error.empty()) error = ErrorOfNode(reply, said);
      }
    }
    int64_t oldest = newest.empty() ? 0 : newest.begin()->second;
    for (const auto& [shard, at] : newest) oldest = std::min(oldest, at);
    std::string out;
    if (oldest == 0) {
      AppendError(&out, error.empty() ? "ERR no node is connected that could be asked" : error);
    } else {
      AppendInteger(&out, oldest);
    }
    AnswerPlace(place, out);
  });
}

void MemoryHelp(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.ReplyNow(HelpReply(
      "MEMORY", {"DOCTOR", "    Return memory problems reports.", "MALLOC-STATS",
                 "    Return internal statistics report from the memory allocator.", "PURGE",
                 "    Attempt to purge dirty pages for reclamation by the allocator.", "STATS",
                 "    Return information about the memory usage of the server.",
                 "USAGE <key> [SAMPLES <count>]",
                 "    Return memory in bytes used by <key> and its value. Nested values are",
                 "    sampled up to <count> times (default: 5, 0 means sample all)."}));
}

}  // namespace

LocalHandler SaveHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kSave:
      return Save;
    case LocalCommand::kBgSave:
      return BgSave;
    case LocalCommand::kBgRewriteAof:
      return TellAsAsked;
    case LocalCommand::kLastSave:
      return LastSave;
    case LocalCommand::kMemoryPurge:
      return TellAsAsked;
    case LocalCommand::kMemoryHelp:
      return MemoryHelp;
    default:
      return nullptr;
  }
}

}  // namespace gemel
