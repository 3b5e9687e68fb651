// How a link introduces itself to a node, and who that is.

#include "backend/link/client_list.h"
#include "backend/link/link.h"
#include "backend/link/other_proxies.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

void Link::Handshake(Step step, std::vector<std::string_view> args) {
  std::string frame;
  AppendCommand(&frame, args);
  steps_.insert(steps_.begin(), step);
  Send(nullptr, frame);
}

void Link::OnConnected(uint64_t now_ms) {
  now_ms_ = now_ms;
  state_ = State::kHandshake;
  identity_ = NodeIdentity();
  if (!options_.password.empty()) {
    if (options_.user.empty()) {
      Handshake(Step::kAuth, {"AUTH", options_.password});
    } else {
      Handshake(Step::kAuth, {"AUTH", options_.user, options_.password});
    }
  }
  if (options_.database != 0) {
    Handshake(Step::kSelect, {"SELECT", std::to_string(options_.database)});
  }
  Handshake(Step::kPing, {"PING"});
  Handshake(Step::kInfo, {"INFO"});  // several sections by name are Redis 7's alone
  Handshake(Step::kClientId, {"CLIENT", "ID"});
  if (!options_.client_name.empty()) {
    Handshake(Step::kSetName, {"CLIENT", "SETNAME", options_.client_name});
  }
}

// A process that hung, or that the network lost, may still have commands of the last connection to
// read, and would apply them after what comes on this one. Only of the same process is the ID
// right.
void Link::KillOldConnection() {
  const std::string_view process = ProcessOf(identity_.run_id);
  if (process != old_process_ || process.empty() || process == kHiddenRunId) {
    old_client_id_ = 0;
    old_process_.clear();
  } else if (old_client_id_ == 0) {
    identity_.unsettled = true;
  } else {
    Handshake(Step::kKillOld, {"CLIENT", "KILL", "ID", std::to_string(old_client_id_)});
  }
}

// The same of a proxy of an earlier version that was killed: its connections to a node that hung
// are still there, by name, with what the node has not read of them.
void Link::KillOrphans(std::string_view client_list) {
  const std::string_view name =
      std::string_view(options_.client_name).substr(0, options_.client_name.find(';'));
  ForEachClient(client_list, [&](std::string_view line) {
    const std::string_view id = ClientField(line, "id");
    if (id.empty() || id == std::to_string(client_id_) || ClientField(line, "name") != name ||
        ClientField(line, "db") != std::to_string(options_.database)) {
      return;
    }
    Handshake(Step::kKillOrphan, {"CLIENT", "KILL", "ID", id});
  });
}

// What those have left that are gone is thrown away likewise. False, and the connection is ended,
// if another one serves the node.
bool Link::LookForOthers(std::string_view client_list) {
  if (options_.others == nullptr) return true;
  for (const SeenProxy& other :
       ProxiesIn(client_list, options_.database, options_.others->self().id)) {
    if (options_.others->IsGone(other)) {
      for (const std::string& id : other.client_ids) {
        Handshake(Step::kKillOrphan, {"CLIENT", "KILL", "ID", id});
      }
    } else if (other.serves) {
      // One that is undecided looks again once it has decided.
      options_.others->OnRival(other.proxy, options_.name, options_.newcomer && connects_ == 0);
      Fail("another gemel serves it: " + Describe(other.proxy));
      return false;
    }
  }
  return true;
}

// Only now: what older connections had left may have changed it.
void Link::AskForState() {
  // Several options in one call are Redis 7's alone.
  for (const char* option : {"*-buffer-limit", "proto-max-bulk-len", "maxmemory*"}) {
    Handshake(Step::kLimits, {"CONFIG", "GET", option});
  }
  Handshake(Step::kRole, {"ROLE"});
  Handshake(Step::kSize, {"DBSIZE"});
}

void Link::OnHandshakeReply(std::string_view reply) {
  const Step step = steps_.back();
  steps_.pop_back();
  if (reply[0] == '-' && (step == Step::kAuth || step == Step::kSelect || step == Step::kPing)) {
    Fail("the node refuses the connection: " + std::string(ReplyText(reply)));
    return;
  }
  switch (step) {
    case Step::kAuth:
    case Step::kSelect:
    case Step::kPing:
      break;
    case Step::kInfo:
      identity_.run_id = IdFromInfo(ReplyText(reply));
      identity_.version = VersionFrom(ReplyText(reply));
      identity_.dump_version = DumpVersionFrom(ReplyText(reply));
      if (!InfoField(ReplyText(reply), "gemel_version").empty()) {
        Fail("it is a gemel, no Redis server: name the nodes themselves");
        return;
      }
      // Not while its file is being rewritten: it may be the first that there is.
      if (InfoField(ReplyText(reply), "aof_enabled") == "1" &&
          InfoField(ReplyText(reply), "aof_rewrite_in_progress") != "1" &&
          InfoField(ReplyText(reply), "aof_rewrite_scheduled") != "1") {
        identity_.keeps_writes = true;  // so far
        Handshake(Step::kFsync, {"CONFIG", "GET", "appendfsync"});
        Handshake(Step::kFsyncOnRewrite, {"CONFIG", "GET", "no-appendfsync-on-rewrite"});
      }
      break;
    case Step::kFsync:
    case Step::kFsyncOnRewrite: {
      const std::string_view wanted = step == Step::kFsync ? "always" : "no";
      std::vector<std::string_view> parts;
      identity_.keeps_writes = identity_.keeps_writes && SplitArray(reply, &parts) &&
                               parts.size() == 2 && ReplyText(parts[1]) == wanted;
      break;
    }
    case Step::kSetName:
    case Step::kKillOrphan:
      break;
    case Step::kLimits:
      identity_.limits.Learn(reply);
      break;
    case Step::kClientId:
      if (!ParseInteger(ReplyText(reply), &client_id_)) client_id_ = 0;
      KillOldConnection();
      // Its own name was set by now. Who does not know which connection is this one cannot end the
      // others.
      if (options_.others != nullptr || (options_.after_crash && connects_ == 0 &&
                                         !options_.client_name.empty() && client_id_ != 0)) {
        Handshake(Step::kClientList, {"CLIENT", "LIST"});
      } else {
        AskForState();
      }
      break;
    case Step::kClientList:
      if (reply[0] != '-') {
        if (!LookForOthers(ReplyText(reply))) return;
        if (options_.after_crash && connects_ == 0 && client_id_ != 0) {
          KillOrphans(ReplyText(reply));
        }
      }
      AskForState();
      break;
    case Step::kKillOld:
      // An integer (how many it found), or "No such client": either way it is over. Otherwise it
      // may not be asked.
      if (reply[0] == '-' && ReplyText(reply).find("No such client") == std::string_view::npos) {
        identity_.unsettled = true;
      } else {
        // Also for the next connection, if this one ends before it is up.
        old_client_id_ = 0;
        old_process_.clear();
      }
      break;
    case Step::kRole: {
      std::vector<std::string_view> parts;
      if (SplitArray(reply, &parts) && !parts.empty()) {
        identity_.is_replica = ReplyText(parts[0]) == "slave";
      }
      break;
    }
    case Step::kSize: {
      int64_t keys = 0;
      if (ParseInteger(ReplyText(reply), &keys)) identity_.keys = static_cast<uint64_t>(keys);
      break;
    }
  }
  if (!steps_.empty()) return;
  if (const std::string why = owner_->WhyNot(*this, identity_); !why.empty()) {
    Fail(why);
    return;
  }
  state_ = State::kUp;
  failed_attempts_ = 0;
  ++connects_;
  last_error_.clear();
  owner_->OnLinkUp(this, identity_);
}

}  // namespace gemel
