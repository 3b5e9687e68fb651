// PROXY FLEET: the members of the fleet, and what each owns.

#include <optional>
#include <string>
#include <string_view>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "config/address.h"
#include "proxy/local/fleet_desk.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

void Field(std::string* out, std::string_view name, std::string_view value) {
  AppendBulk(out, name);
  AppendBulk(out, value);
}
void Field(std::string* out, std::string_view name, uint64_t value) {
  AppendBulk(out, name);
  AppendInteger(out, static_cast<int64_t>(value));
}

std::string_view StateOf(const LifeRecord& life) {
  if (life.ended) return "gone";
  if (life.witness) return "witness";
  return life.draining ? "draining" : "up";
}

void AppendMember(const FleetStatus& status, const FleetStatus::Member& member, std::string* out) {
  AppendMapHeader(out, 7);
  Field(out, "name", member.name);
  Field(out, "state", StateOf(member.life));
  Field(out, "self", member.name == status.self ? "yes" : "no");
  Field(out, "address", member.life.address);
  Field(out, "shards", member.shards);
  Field(out, "silent_ms", member.silent_ms);
  Field(out, "version", member.life.agreed);
}

void AppendShard(const FleetStatus::Shard& shard, std::string* out) {
  AppendMapHeader(out, 5);
  Field(out, "name", shard.name);
  Field(out, "owner", shard.lease.owner);
  Field(out, "turn", shard.lease.epoch);
  Field(out, "next", shard.next);
  Field(out, "epoch", shard.epoch);
}

std::string_view ContactWith(const EngineStatus::Server& server) {
  if (server.contact == EngineStatus::Contact::kNotAsked) return "not asked";
  return server.contact == EngineStatus::Contact::kReached ? "yes" : "no";
}

// -1 stands for what is not known.
void AppendEngine(const EngineStatus& engine, std::string* out) {
  Field(out, "leader", engine.leaderless ? "leaderless" : engine.leader);
  Field(out, "change", engine.change.value_or(""));
  AppendBulk(out, "answer_ms");
  AppendInteger(out, engine.answer_ms ? static_cast<int64_t>(*engine.answer_ms) : -1);
  AppendBulk(out, "servers");
  AppendArrayHeader(out, static_cast<int64_t>(engine.servers.size()));
  for (const EngineStatus::Server& server : engine.servers) {
    AppendMapHeader(out, 3);
    Field(out, "name", server.name);
    Field(out, "reached", ContactWith(server));
    AppendBulk(out, "lag");
    AppendInteger(out, server.lag ? static_cast<int64_t>(*server.lag) : -1);
  }
}

std::string Describe(const FleetStatus& status) {
  std::string out;
  AppendMapHeader(&out, 15);
  Field(&out, "id", status.id);
  Field(&out, "member", status.self);
  Field(&out, "coordinator", status.place);
  Field(&out, "trouble", status.trouble);
  AppendEngine(status.engine, &out);
  Field(&out, "lease_ms", status.lease_ms);
  Field(&out, "lease_left_ms", status.left_ms);
  Field(&out, "seen_ms_ago", status.listed_ms);
  Field(&out, "version", status.version);
  Field(&out, "next_version", status.next_version);
  AppendBulk(&out, "members");
  AppendArrayHeader(&out, static_cast<int64_t>(status.members.size()));
  for (const FleetStatus::Member& member : status.members) AppendMember(status, member, &out);
  AppendBulk(&out, "shards");
  AppendArrayHeader(&out, static_cast<int64_t>(status.shards.size()));
  for (const FleetStatus::Shard& shard : status.shards) AppendShard(shard, &out);
  return out;
}

constexpr char kFleetSyntax[] =
    "ERR syntax error: PROXY FLEET [DRAIN|UNDRAIN|BALANCE|VOTER ADD host:port|VOTER REMOVE "
    "host:port]";

void ChangeVoters(FleetDesk* fleet, Session& session, LocalArgs args) {
  const std::string what = InLowerCase(args[3]);
  if (what != "add" && what != "remove") return session.ReplyError(kFleetSyntax);
  if (!fleet->Status().engine.change) {
    return session.ReplyError(
        "ERR the servers that this fleet agrees by are none of its members: only with "
        "coordinator = \"raft\" it has voters");
  }
  std::string error;
  const std::optional<Address> voter = ParseAddress(std::string(args[4]), &error);
  if (!voter || voter->port == 0) {
    return session.ReplyError("ERR a voter is given by its raft_listen, host:port" +
                              (error.empty() ? "" : ": " + error));
  }
  fleet->ChangeServers(what == "add", voter->ToString());
  session.ReplyNow("+OK\r\n");
}

void ProxyFleet(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  FleetDesk* fleet = local.process().fleet;
  if (fleet == nullptr) {
    session.ReplyError(
        "ERR this gemel is alone: [fleet] of its config file says coordinator = \"file\"");
    return;
  }
  if (args.size() == 2) return session.ReplyNow(Describe(fleet->Status()));
  const std::string verb = InLowerCase(args[2]);
  if (verb == "voter" && args.size() == 5) return ChangeVoters(fleet, session, args);
  if (args.size() > 3 || (verb != "drain" && verb != "undrain" && verb != "balance")) {
    session.ReplyError(kFleetSyntax);
    return;
  }
  if (verb == "balance") {
    fleet->Balance();
  } else {
    fleet->SetDraining(verb == "drain");
  }
  session.ReplyNow("+OK\r\n");
}

}  // namespace

LocalHandler FleetHandler(LocalCommand command) {
  return command == LocalCommand::kProxyFleet ? ProxyFleet : nullptr;
}

}  // namespace gemel
