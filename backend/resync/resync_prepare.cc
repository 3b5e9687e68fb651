#include "backend/resync/resync_prepare.h"

#include <optional>
#include <utility>

#include "backend/names/node_addresses.h"
#include "backend/resync/resync_by_keys.h"
#include "backend/resync/resync_copying.h"
#include "backend/resync/resync_handover.h"
#include "config/address.h"

namespace gemel {

namespace {

// Between two looks at whether its turn has come.
constexpr uint64_t kTurnMs = 500;
// So long a copy waits for others to keep the fleet's registers before it is made without Redis's
// replication, which leaves them where they are.
constexpr uint64_t kKeepersMs = 15 * 1000;

std::string_view LastLine(std::string_view text) {
  const size_t at = text.rfind('\n');
  return at == std::string_view::npos ? text : text.substr(at + 1);
}

}  // namespace

void ResyncPrepare::Begin(uint32_t copy) {
  ++c_->number;
  c_->at = {};
  c_->at.state = ResyncState::kPreparing;
  c_->at.copy = copy;
  c_->at.primary = c_->shard.info().primary;
  c_->at.connection = c_->shard.ConnectionOf(copy);
  c_->at.run_id = ProcessOf(c_->shard.link(copy)->identity().run_id);
  c_->at.began_ms = c_->env->NowMs();
  c_->copying->Reset();
  c_->handover->Reset();
  c_->Command(c_->at.primary, {"INFO", "replication"}, [this](const ControlReply& reply) {
    if (!reply.ok && !RefusedForGood(reply)) {
      c_->Fail("INFO on " + c_->NameOf(c_->at.primary) + ": " + reply.error);
      return;
    }
    if (!reply.ok)
      c_->by_keys->InVainNow(c_->NameOf(c_->at.primary) + " refuses INFO (" + reply.error + ")");
    const ReplicationInfo primary = ParseReplicationInfo(reply.text);
    if (primary.is_replica) {
      // Then nothing may be made its replica: the two could end as replicas of each other.
      c_->Fail("its primary " + c_->NameOf(c_->at.primary) + " is itself a REPLICAOF replica of " +
               primary.host + ":" + primary.port);
      return;
    }
    c_->Command(c_->at.copy, {"INFO"}, [this, replid = primary.replid](const ControlReply& copy) {
      LookAtProcess(copy, replid);
    });
  });
}

// Who forbids INFO forbids to see what REPLICAOF does.
void ResyncPrepare::LookAtProcess(const ControlReply& info, const std::string& replid) {
  if (!info.ok && !RefusedForGood(info)) {
    c_->Fail("INFO on " + c_->NameOf(c_->at.copy) + ": " + info.error);
    return;
  }
  if (!info.ok) {
    c_->by_keys->InVainNow(c_->NameOf(c_->at.copy) + " refuses INFO (" + info.error + ")");
    c_->at.is_replica = c_->shard.link(c_->at.copy)->identity().is_replica;
    TakeTurn();
    return;
  }
  const std::string id = IdFromInfo(info.text);
  const std::string_view process = ProcessOf(id);
  if (process != c_->at.run_id && process != kHiddenRunId && c_->at.run_id != kHiddenRunId) {
    // It lost its power, and nothing was sent to it since that would have told.
    Link* link = c_->shard.link(c_->at.copy);
    if (link->up()) link->Fail("the node is another process by now");
    c_->Fail("it restarted");
    return;
  }
  if (process != kHiddenRunId && c_->at.run_id != kHiddenRunId) c_->at.seen_id = id;
  LookAtCopy(ParseReplicationInfo(info.text), replid);
}

// What it is already: a replica of the primary, left so by an earlier attempt or made so by
// somebody before gemel came, is not copied again.
void ResyncPrepare::LookAtCopy(const ReplicationInfo& copy, const std::string& replid) {
  c_->at.input_before = copy.replication_input;
  c_->at.is_replica = copy.is_replica;
  // What may have been written to it besides cannot be known of a writable one.
  const bool pure = copy.read_only || c_->copies.ours[c_->at.copy];
  if (copy.is_replica && copy.link_up && !copy.syncing && pure && !replid.empty() &&
      copy.replid == replid) {
    TakePlace(/*copying=*/false);
    c_->shard.ForgetJournal(c_->at.copy);
    c_->at.was_replica = true;
    c_->copies.ours[c_->at.copy] = true;
    c_->at.host = copy.host;
    c_->at.port_text = copy.port;
    c_->Note(NoteLevel::kInfo,
             c_->NameOf(c_->at.copy) + " is a live replica of " + c_->NameOf(c_->at.primary) +
                 " (REPLICAOF " + c_->at.host + " " + c_->at.port_text +
                 "): it is taken over without a new copy",
             ResyncCore::kNoteAgainMs);
    c_->copying->Begin();
    return;
  }
  c_->at.leave_first = copy.is_replica && !pure;
  TakeTurn();
}

void ResyncPrepare::TakeTurn() {
  if (!TakePlace(/*copying=*/true)) {
    c_->retry_at_ms = c_->env->NowMs() + kTurnMs;
    c_->next_copy = c_->at.copy + 1;
    c_->End();
    return;
  }
  c_->shard.ForgetJournal(c_->at.copy);
  if (c_->shard.info().adopted && !c_->copies.ours[c_->at.copy] &&
      !c_->copies.scanned[c_->at.copy]) {
    CheckNotSwapped();
  } else {
    CopyData();
  }
}

void ResyncPrepare::CopyData() {
  if (const std::string why = c_->by_keys->Why(); !why.empty()) {
    c_->by_keys->Begin(why);
  } else {
    SetAuth();
  }
}

// A place among the resyncs of the process, or a note that it waits for one.
bool ResyncPrepare::TakePlace(bool copying) {
  if (c_->board == nullptr) return true;
  std::string why;
  c_->place = c_->board->Take(c_->shard.info().name, c_->NameOf(c_->at.primary),
                              c_->NameOf(c_->at.copy), copying, &why, !c_->by_keys->Why().empty());
  if (c_->place == nullptr) c_->SetNote("waits for its turn: " + why);
  return c_->place != nullptr;
}

// Nothing is known of an adopted shard but its config, and whoever swapped two addresses there
// would lose all data to an empty server. A copy that came while the shard was served came to be
// made equal to what was written since.
void ResyncPrepare::CheckNotSwapped() {
  c_->Demand(c_->at.primary, {"DBSIZE"}, [this](const ControlReply& primary) {
    const int64_t primary_keys = InfoNumber(primary.text);
    c_->Demand(c_->at.copy, {"DBSIZE"}, [this, primary_keys](const ControlReply& copy) {
      const int64_t copy_keys = InfoNumber(copy.text);
      if (primary_keys < 0 || copy_keys < 0) {
        c_->Fail("DBSIZE said no number");
      } else if (copy_keys > 0 && (primary_keys == 0 || (c_->copies.seen_empty[c_->at.primary] &&
                                                         c_->copies.from_start[c_->at.copy]))) {
        c_->Fail("not begun: the configured primary is empty and the replica is not");
        c_->Note(NoteLevel::kError,
                 "the configured primary " + c_->NameOf(c_->at.primary) +
                     (primary_keys == 0 ? " is empty" : " was empty at the first start") +
                     ", but its replica " + c_->NameOf(c_->at.copy) + " holds " +
                     std::to_string(copy_keys) +
                     " keys: perhaps they are swapped in the config, so the replica is not "
                     "overwritten. If the primary is right, send the replica FLUSHALL by hand; if "
                     "not, stop gemel, swap them in the config and remove the state folder",
                 ResyncCore::kHourMs);
      } else {
        CopyData();
      }
    });
  });
}

void ResyncPrepare::SetAuth() {
  const LinkOptions& node = c_->shard.node(c_->at.copy);
  if (node.password.empty()) {
    FindPrimary();
    return;
  }
  c_->Command(
      c_->at.copy, {"CONFIG", "SET", "masterauth", node.password},
      [this](const ControlReply& reply) {
        if (reply.refused && !PassesByItself(reply)) {
          FindPrimary();  // whoever forbids CONFIG may have set it by hand
        } else if (!reply.ok) {
          c_->Fail("CONFIG SET masterauth on " + c_->NameOf(c_->at.copy) + ": " + reply.error);
        } else {
          SetUser();
        }
      });
}

void ResyncPrepare::SetUser() {
  const std::string& user = c_->shard.node(c_->at.copy).user;
  if (user.empty()) {
    FindPrimary();
    return;
  }
  c_->Prepare(c_->at.copy, {"CONFIG", "SET", "masteruser", user},
              [this](const ControlReply&) { FindPrimary(); });
}

// What the copy is told, where the config has a name: the number that the name stands for here. A
// Redis server looks names up while its clients wait, and its resolver may be in trouble, too. Not
// so a number that leads to this machine, which means another one to a copy elsewhere.
std::string ResyncPrepare::HostToName(const std::string& host) const {
  const std::string number = c_->port->NumberOf(c_->at.primary);
  if (IsNumber(host) || number.empty()) return host;
  std::string error;
  const std::optional<Address> copy = ParseAddress(c_->NameOf(c_->at.copy), &error);
  const bool near = copy && (copy->IsUnix() || IsLoopback(c_->port->NumberOf(c_->at.copy)));
  return IsLoopback(number) && !near ? host : number;
}

void ResyncPrepare::FindPrimary() {
  std::string error;
  const std::optional<Address> address = ParseAddress(c_->NameOf(c_->at.primary), &error);
  if (!address) {
    c_->Fail("'" + c_->NameOf(c_->at.primary) + "' is no address: " + error);
    return;
  }
  if (!address->IsUnix()) {
    c_->at.host = HostToName(address->host);
    c_->at.port_text = std::to_string(address->port);
    if (address->tls) {
      // The port is one that speaks TLS: the copy has to speak it, too.
      c_->Prepare(c_->at.copy, {"CONFIG", "SET", "tls-replication", "yes"},
                  [this](const ControlReply&) { Release(); });
    } else {
      Release();
    }
    return;
  }
  c_->Prepare(c_->at.primary, {"CONFIG", "GET", "port"}, [this](const ControlReply& reply) {
    const int64_t port = InfoNumber(LastLine(reply.text));
    if (port <= 0) {
      c_->by_keys->Go("the primary " + c_->NameOf(c_->at.primary) +
                      " listens on its Unix socket only (CONFIG GET port says " +
                      std::string(LastLine(reply.text)) +
                      "), and Redis copies over TCP: give it a port on 127.0.0.1");
      return;
    }
    c_->at.host = "127.0.0.1";
    c_->at.port_text = std::to_string(port);
    Release();
  });
}

void ResyncPrepare::TakeDelayAway() {
  c_->delay.TakeAway(c_->at.primary, c_->Guard([this] {
    if (const std::string why = c_->Obstacle(); !why.empty()) {
      c_->Fail(why);
    } else {
      LeaveOtherMaster();
    }
  }));
}

// Redis copies all databases, also one that is none of the shard's.
void ResyncPrepare::Release() {
  const bool asked =
      c_->env->Release(c_->NameOf(c_->at.copy),
                       c_->Guard([this](const NodeRelease& release) { OnReleased(release); }));
  if (!asked) TakeDelayAway();
}

void ResyncPrepare::OnReleased(const NodeRelease& release) {
  uint64_t& since_ms = c_->copies.waits_since_ms[c_->at.copy];
  if (const std::string why = c_->Obstacle(); !why.empty()) {
    c_->Fail(why);
  } else if (release.done) {
    since_ms = 0;
    AskSource(release);
  } else if (!release.too_few) {
    c_->Fail("it keeps registers of the fleet: " + release.why);
  } else if (const uint64_t now_ms = c_->env->NowMs();
             since_ms != 0 && now_ms >= since_ms + kKeepersMs) {
    since_ms = 0;
    c_->by_keys->Go("its node is needed for the registers of the fleet: " + release.why);
  } else {
    if (since_ms == 0) since_ms = now_ms;
    c_->SetNote("waits until other nodes keep the registers of the fleet: " + release.why);
    c_->retry_at_ms = now_ms + kTurnMs;
    c_->next_copy = c_->at.copy + 1;
    c_->End();
  }
}

void ResyncPrepare::AskSource(const NodeRelease& release) {
  if (release.ask_source.empty()) {
    TakeDelayAway();
  } else {
    c_->Demand(c_->at.primary, release.ask_source,
               [this](const ControlReply&) { TakeDelayAway(); });
  }
}

void ResyncPrepare::LeaveOtherMaster() {
  if (!c_->at.leave_first) {
    SendReplicaOf();
    return;
  }
  // Else REPLICAOF to where it replicates from already would change nothing.
  c_->Prepare(c_->at.copy, {"REPLICAOF", "NO", "ONE"},
              [this](const ControlReply&) { SendReplicaOf(); });
}

void ResyncPrepare::SendReplicaOf() {
  c_->shard.WillOverwrite(c_->at.copy);
  // To a copy that replicates from there already it changes nothing, and the copying goes on.
  c_->Command(
      c_->at.copy, {"REPLICAOF", c_->at.host, c_->at.port_text}, [this](const ControlReply& reply) {
        if (reply.refused && !PassesByItself(reply)) {
          c_->by_keys->Go(c_->NameOf(c_->at.copy) + " refuses REPLICAOF (" + reply.error + ")");
        } else if (!reply.ok) {
          c_->copies.ours[c_->at.copy] = true;  // as far as is known
          c_->Fail("REPLICAOF on " + c_->NameOf(c_->at.copy) + ": " + reply.error);
        } else {
          c_->copies.ours[c_->at.copy] = true;
          c_->Note(NoteLevel::kInfo,
                   "resync of " + c_->NameOf(c_->at.copy) + " from " + c_->NameOf(c_->at.primary) +
                       " begins",
                   ResyncCore::kNoteAgainMs);
          c_->copying->Begin();
        }
      });
}

}  // namespace gemel
