#include "backend/link/link_handshake.h"

#include "backend/link/client_list.h"
#include "backend/link/other_proxies.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

// In the order of Step.
const LinkHandshake::Row LinkHandshake::kRows[] = {
    {Step::kAuth, &LinkHandshake::OnMustBeOk},
    {Step::kSelect, &LinkHandshake::OnMustBeOk},
    {Step::kPing, &LinkHandshake::OnMustBeOk},
    {Step::kInfo, &LinkHandshake::OnInfo},
    {Step::kFsync, &LinkHandshake::OnFsync},
    {Step::kFsyncOnRewrite, &LinkHandshake::OnFsyncOnRewrite},
    {Step::kLimits, &LinkHandshake::OnLimits},
    {Step::kClientId, &LinkHandshake::OnClientId},
    {Step::kSetName, &LinkHandshake::OnSetName},
    {Step::kMayEndOthers, &LinkHandshake::OnMayEndOthers},
    {Step::kEndEarlier, &LinkHandshake::OnMayEndOthers},
    {Step::kKillOld, &LinkHandshake::OnKillOld},
    {Step::kClientList, &LinkHandshake::OnClientList},
    {Step::kKillOrphan, &LinkHandshake::OnNoMatter},
    {Step::kRole, &LinkHandshake::OnRole},
    {Step::kSize, &LinkHandshake::OnSize},
    {Step::kKeyspace, &LinkHandshake::OnKeyspace},
    {Step::kSelectLast, &LinkHandshake::OnSelectLast},
    {Step::kSelectFirst, &LinkHandshake::OnNoMatter},
    {Step::kMulti, &LinkHandshake::OnNoMatter},
    {Step::kExec, &LinkHandshake::OnExec},
    {Step::kHello, &LinkHandshake::OnHello},
};

void LinkHandshake::Ask(Step step, const std::vector<std::string_view>& args) {
  AppendCommand(&asks_.emplace_back(), args);
  steps_.insert(steps_.begin(), step);
}

void LinkHandshake::Begin(bool first) {
  first_ = first;
  identity_ = NodeIdentity();
  if (!options_->password.empty()) {
    if (options_->user.empty()) {
      Ask(Step::kAuth, {"AUTH", options_->password});
    } else {
      Ask(Step::kAuth, {"AUTH", options_->user, options_->password});
    }
  }
  if (options_->database != 0) Ask(Step::kSelect, {"SELECT", std::to_string(options_->database)});
  Ask(Step::kPing, {"PING"});
  Ask(Step::kInfo, {"INFO"});  // several sections by name are Redis 7's alone
  Ask(Step::kClientId, {"CLIENT", "ID"});
  if (!options_->client_name.empty()) {
    Ask(Step::kSetName, {"CLIENT", "SETNAME", options_->client_name});
  }
  // A link that never writes leaves it to the main link.
  fence_.Begin(options_->others != nullptr ? options_->client_name : std::string_view());
  if (fence_.active()) Ask(Step::kMayEndOthers, TurnFence::AsksPermission());
}

void LinkHandshake::End(bool was_up) {
  steps_.clear();
  asks_.clear();
  if (!was_up) return;
  // One after the other: while an old one could not be ended, the newer ones cannot make it good.
  const std::string_view process = ProcessOf(identity_.run_id);
  if (old_client_id_ == 0 || old_process_ != process) old_client_id_ = client_id_;
  old_process_ = process;
}

std::string LinkHandshake::OnReply(std::string_view reply) {
  const Row& row = kRows[static_cast<size_t>(steps_.back())];
  steps_.pop_back();
  return (this->*row.answer)(reply);
}

std::string LinkHandshake::OnMustBeOk(std::string_view reply) {
  if (reply[0] != '-') return {};
  return "the node refuses the connection: " + std::string(ReplyText(reply));
}

std::string LinkHandshake::OnInfo(std::string_view reply) {
  const std::string_view info = ReplyText(reply);
  identity_.run_id = IdFromInfo(info);
  int64_t evicted = 0;
  if (ParseInteger(InfoField(info, "evicted_keys"), &evicted) && evicted > 0) {
    identity_.evicted = static_cast<uint64_t>(evicted);
  }
  identity_.version = VersionFrom(info);
  identity_.dump_version = DumpVersionFrom(info);
  if (!InfoField(info, "gemel_version").empty()) {
    return "it is a gemel, no Redis server: name the nodes themselves";
  }
  // Not while its file is being rewritten: it may be the first that there is.
  if (InfoField(info, "aof_enabled") == "1" && InfoField(info, "aof_rewrite_in_progress") != "1" &&
      InfoField(info, "aof_rewrite_scheduled") != "1") {
    identity_.keeps_writes = true;  // so far
    Ask(Step::kFsync, {"CONFIG", "GET", "appendfsync"});
    Ask(Step::kFsyncOnRewrite, {"CONFIG", "GET", "no-appendfsync-on-rewrite"});
  }
  return {};
}

std::string LinkHandshake::OnKeepsWrites(std::string_view reply, std::string_view wanted) {
  std::vector<std::string_view> parts;
  identity_.keeps_writes = identity_.keeps_writes && SplitArray(reply, &parts) &&
                           parts.size() == 2 && ReplyText(parts[1]) == wanted;
  return {};
}

std::string LinkHandshake::OnLimits(std::string_view reply) {
  identity_.limits.Learn(reply);
  return {};
}

std::string LinkHandshake::OnClientId(std::string_view reply) {
  if (!ParseInteger(ReplyText(reply), &client_id_)) client_id_ = 0;
  KillOldConnection();
  // Its own name was set by now.
  if (options_->others != nullptr || (MayKillOrphans() && !options_->client_name.empty())) {
    Ask(Step::kClientList, {"CLIENT", "LIST"});
  } else {
    AskForState();
  }
  return {};
}

// Who has no name is not seen by a later owner.
std::string LinkHandshake::OnSetName(std::string_view reply) {
  if (!fence_.active()) return {};
  return TurnFence::OnAnswer("CLIENT SETNAME", reply[0] == '-', ReplyText(reply));
}

std::string LinkHandshake::OnMayEndOthers(std::string_view reply) {
  return TurnFence::OnAnswer("CLIENT KILL", reply[0] == '-', ReplyText(reply));
}

// Returns why this one is not to be used.
std::string LinkHandshake::EndEarlierTurns(std::string_view client_list) {
  TurnFence::Verdict verdict = fence_.OnList(client_list, options_->database, options_->others);
  if (!verdict.why.empty() || verdict.kills.empty()) return std::move(verdict.why);
  for (const std::string& id : verdict.kills) {
    Ask(Step::kEndEarlier, {"CLIENT", "KILL", "ID", id});
  }
  Ask(Step::kClientList, {"CLIENT", "LIST"});
  return {};
}

std::string LinkHandshake::OnClientList(std::string_view reply) {
  if (fence_.active()) {
    std::string why = TurnFence::OnAnswer("CLIENT LIST", reply[0] == '-', ReplyText(reply));
    if (why.empty()) why = EndEarlierTurns(ReplyText(reply));
    // Asked again: there was somebody.
    if (!why.empty() || !asks_.empty()) return why;
  }
  if (reply[0] != '-') {
    if (std::string why = LookForOthers(ReplyText(reply)); !why.empty()) return why;
    if (MayKillOrphans()) KillOrphans(ReplyText(reply));
  }
  AskForState();
  return {};
}

// An integer (how many it found), or "No such client": either way it is over. Otherwise it may not
// be asked.
std::string LinkHandshake::OnKillOld(std::string_view reply) {
  if (reply[0] == '-' && ReplyText(reply).find("No such client") == std::string_view::npos) {
    identity_.unsettled = true;
  } else {
    // Also for the next connection, if this one ends before it is up.
    old_client_id_ = 0;
    old_process_.clear();
  }
  return {};
}

std::string LinkHandshake::OnRole(std::string_view reply) {
  std::vector<std::string_view> parts;
  if (SplitArray(reply, &parts) && !parts.empty()) {
    identity_.is_replica = ReplyText(parts[0]) == "slave";
  }
  return {};
}

std::string LinkHandshake::OnSize(std::string_view reply) {
  int64_t keys = 0;
  if (ParseInteger(ReplyText(reply), &keys)) identity_.keys = static_cast<uint64_t>(keys);
  return {};
}

// Of all databases that may be the clients'.
std::string LinkHandshake::OnKeyspace(std::string_view reply) {
  if (reply[0] == '-') return {};
  uint64_t keys = 0;
  const uint32_t hidden = options_->hidden_database;
  ForEachDatabase(ReplyText(reply), [&](uint32_t index, const KeyspaceCount& count) {
    if (hidden == 0 || index != hidden) keys += count.keys;
  });
  identity_.keys = keys;
  return {};
}

std::string LinkHandshake::OnSelectLast(std::string_view reply) {
  identity_.has_databases = reply[0] == '+';
  return {};
}

// Of an empty transaction: whether the user is allowed both.
std::string LinkHandshake::OnExec(std::string_view reply) {
  identity_.takes_blocks = reply == "*0\r\n";
  return {};
}

// Nodes before 6.0 do not know it, and a user may not be allowed it.
std::string LinkHandshake::OnHello(std::string_view reply) {
  identity_.speaks_resp3 = reply[0] == '%';
  return {};
}

// A process that hung, or that the network lost, may still have commands of the last connection to
// read, and would apply them after what comes on this one. Only of the same process is the ID
// right.
void LinkHandshake::KillOldConnection() {
  const std::string_view process = ProcessOf(identity_.run_id);
  if (process != old_process_ || process.empty() || process == kHiddenRunId) {
    old_client_id_ = 0;
    old_process_.clear();
  } else if (old_client_id_ == 0) {
    identity_.unsettled = true;
  } else {
    Ask(Step::kKillOld, {"CLIENT", "KILL", "ID", std::to_string(old_client_id_)});
  }
}

// The same of a proxy of an earlier version that was killed: its connections to a node that hung
// are still there, by name, with what the node has not read of them.
void LinkHandshake::KillOrphans(std::string_view client_list) {
  const std::string_view name =
      std::string_view(options_->client_name).substr(0, options_->client_name.find(';'));
  ForEachClient(client_list, [&](std::string_view line) {
    const std::string_view id = ClientField(line, "id");
    if (id.empty() || id == std::to_string(client_id_) || ClientField(line, "name") != name ||
        (options_->databases == 1 &&
         ClientField(line, "db") != std::to_string(options_->database))) {
      return;
    }
    Ask(Step::kKillOrphan, {"CLIENT", "KILL", "ID", id});
  });
}

// What those have left that are gone is thrown away likewise. Returns who else serves the node.
std::string LinkHandshake::LookForOthers(std::string_view client_list) {
  if (options_->others == nullptr) return {};
  for (const SeenProxy& other :
       ProxiesIn(client_list, options_->database, options_->others->self())) {
    if (options_->others->IsGone(other)) {
      for (const std::string& id : other.client_ids) {
        Ask(Step::kKillOrphan, {"CLIENT", "KILL", "ID", id});
      }
    } else if (other.serves) {
      // One that is undecided looks again once it has decided.
      options_->others->OnRival(other.proxy, options_->name, options_->newcomer && first_);
      return "another gemel serves it: " + Describe(other.proxy);
    }
  }
  return {};
}

// Only now: what older connections had left may have changed it.
void LinkHandshake::AskForState() {
  // Several options in one call are Redis 7's alone.
  for (const char* option : {"*-buffer-limit", "proto-max-bulk-len", "maxmemory*"}) {
    Ask(Step::kLimits, {"CONFIG", "GET", option});
  }
  Ask(Step::kRole, {"ROLE"});
  Ask(Step::kSize, {"DBSIZE"});
  if (options_->database == 0 && options_->databases > 1) {
    Ask(Step::kKeyspace, {"INFO", "keyspace"});
    Ask(Step::kSelectLast, {"SELECT", std::to_string(options_->databases - 1)});
    Ask(Step::kSelectFirst, {"SELECT", "0"});
  }
  if (options_->subscriber) return;
  Ask(Step::kMulti, {"MULTI"});
  Ask(Step::kExec, {"EXEC"});
  // Last: what comes before it is answered in RESP2.
  Ask(Step::kHello, {"HELLO", "3"});
}

}  // namespace gemel
