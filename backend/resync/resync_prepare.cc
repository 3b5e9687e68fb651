// Until Redis copies: what the nodes are already, and how the copy is made a replica.

#include <optional>
#include <utility>

#include "backend/names/node_addresses.h"
#include "backend/resync/resync.h"
#include "config/address.h"

namespace gemel {

namespace {

// Between two looks at whether its turn has come.
constexpr uint64_t kTurnMs = 500;

std::string_view LastLine(std::string_view text) {
  const size_t at = text.rfind('\n');
  return at == std::string_view::npos ? text : text.substr(at + 1);
}

}  // namespace

void Resync::Begin(uint32_t copy) {
  ++attempt_;
  state_ = State::kPreparing;
  copy_ = copy;
  primary_ = shard_.info().primary;
  connection_ = shard_.ConnectionOf(copy);
  run_id_ = ProcessOf(shard_.link(copy)->identity().run_id);
  was_replica_ = is_replica_ = leave_first_ = false;
  input_before_ = -1;
  input_seen_ = 0;
  began_ms_ = env_->NowMs();
  next_poll_ms_ = next_snapshot_ms_ = next_pause_ms_ = 0;
  catching_up_ = false;
  begun_ = waits_ = false;
  sync_read_ = full_syncs_ = -1;
  seen_id_.clear();
  best_lag_ = -1;
  first_offset_ = primary_offset_ = -1;
  primary_rate_ = 0;
  short_pauses_ = 0;
  meter_ = ProgressMeter();
  Command(primary_, {"INFO", "replication"}, [this](const ControlReply& reply) {
    if (!reply.ok && !RefusedForGood(reply)) {
      Fail("INFO on " + NameOf(primary_) + ": " + reply.error);
      return;
    }
    if (!reply.ok) InVainNow(NameOf(primary_) + " refuses INFO (" + reply.error + ")");
    const ReplicationInfo primary = ParseReplicationInfo(reply.text);
    if (primary.is_replica) {
      // Then nothing may be made its replica: the two could end as replicas of each other.
      Fail("its primary " + NameOf(primary_) + " is itself a REPLICAOF replica of " + primary.host +
           ":" + primary.port);
      return;
    }
    Command(copy_, {"INFO"}, [this, replid = primary.replid](const ControlReply& copy) {
      LookAtProcess(copy, replid);
    });
  });
}

// Who forbids INFO forbids to see what REPLICAOF does.
void Resync::LookAtProcess(const ControlReply& info, const std::string& replid) {
  if (!info.ok && !RefusedForGood(info)) {
    Fail("INFO on " + NameOf(copy_) + ": " + info.error);
    return;
  }
  if (!info.ok) {
    InVainNow(NameOf(copy_) + " refuses INFO (" + info.error + ")");
    is_replica_ = shard_.link(copy_)->identity().is_replica;
    TakeTurn();
    return;
  }
  const std::string id = IdFromInfo(info.text);
  const std::string_view process = ProcessOf(id);
  if (process != run_id_ && process != kHiddenRunId && run_id_ != kHiddenRunId) {
    // It lost its power, and nothing was sent to it since that would have told.
    Link* link = shard_.link(copy_);
    if (link->up()) link->Fail("the node is another process by now");
    Fail("it restarted");
    return;
  }
  if (process != kHiddenRunId && run_id_ != kHiddenRunId) seen_id_ = id;
  LookAtCopy(ParseReplicationInfo(info.text), replid);
}

// What it is already: a replica of the primary, left so by an earlier attempt or made so by
// somebody before gemel came, is not copied again.
void Resync::LookAtCopy(const ReplicationInfo& copy, const std::string& replid) {
  input_before_ = copy.replication_input;
  is_replica_ = copy.is_replica;
  // What may have been written to it besides cannot be known of a writable one.
  const bool pure = copy.read_only || ours_[copy_];
  if (copy.is_replica && copy.link_up && !copy.syncing && pure && !replid.empty() &&
      copy.replid == replid) {
    TakePlace(/*copying=*/false);
    shard_.ForgetJournal(copy_);
    was_replica_ = true;
    ours_[copy_] = true;
    host_ = copy.host;
    port_text_ = copy.port;
    Note(NoteLevel::kInfo,
         NameOf(copy_) + " is a live replica of " + NameOf(primary_) + " (REPLICAOF " + host_ +
             " " + port_text_ + "): it is taken over without a new copy",
         kNoteAgainMs);
    BeginPolling();
    return;
  }
  leave_first_ = copy.is_replica && !pure;
  TakeTurn();
}

void Resync::TakeTurn() {
  if (!TakePlace(/*copying=*/true)) {
    retry_at_ms_ = env_->NowMs() + kTurnMs;
    next_copy_ = copy_ + 1;
    End();
    return;
  }
  shard_.ForgetJournal(copy_);
  if (shard_.info().adopted && !ours_[copy_] && !scanned_[copy_]) {
    CheckNotSwapped();
  } else {
    CopyData();
  }
}

void Resync::CopyData() {
  if (const std::string why = WhyByKeys(); !why.empty()) {
    BeginScan(why);
  } else {
    SetAuth();
  }
}

// A place among the resyncs of the process, or a note that it waits for one.
bool Resync::TakePlace(bool copying) {
  if (board_ == nullptr) return true;
  std::string why;
  place_ = board_->Take(shard_.info().name, NameOf(primary_), NameOf(copy_), copying, &why,
                        !WhyByKeys().empty());
  if (place_ == nullptr) SetNote("waits for its turn: " + why);
  return place_ != nullptr;
}

// Nothing is known of an adopted shard but its config, and whoever swapped two addresses there
// would lose all data to an empty server. A copy that came while the shard was served came to be
// made equal to what was written since.
void Resync::CheckNotSwapped() {
  Demand(primary_, {"DBSIZE"}, [this](const ControlReply& primary) {
    const int64_t primary_keys = InfoNumber(primary.text);
    Demand(copy_, {"DBSIZE"}, [this, primary_keys](const ControlReply& copy) {
      const int64_t copy_keys = InfoNumber(copy.text);
      if (primary_keys < 0 || copy_keys < 0) {
        Fail("DBSIZE said no number");
      } else if (copy_keys > 0 &&
                 (primary_keys == 0 || (seen_empty_[primary_] && from_start_[copy_]))) {
        Fail("not begun: the configured primary is empty and the replica is not");
        Note(NoteLevel::kError,
             "the configured primary " + NameOf(primary_) +
                 (primary_keys == 0 ? " is empty" : " was empty at the first start") +
                 ", but its replica " + NameOf(copy_) + " holds " + std::to_string(copy_keys) +
                 " keys: perhaps they are swapped in the config, so the replica is not "
                 "overwritten. If the primary is right, send the replica FLUSHALL by hand; if "
                 "not, stop gemel, swap them in the config and remove the state folder",
             kHourMs);
      } else {
        CopyData();
      }
    });
  });
}

void Resync::SetAuth() {
  const LinkOptions& node = shard_.node(copy_);
  if (node.password.empty()) {
    FindPrimary();
    return;
  }
  Command(copy_, {"CONFIG", "SET", "masterauth", node.password}, [this](const ControlReply& reply) {
    if (reply.refused && !PassesByItself(reply)) {
      FindPrimary();  // whoever forbids CONFIG may have set it by hand
    } else if (!reply.ok) {
      Fail("CONFIG SET masterauth on " + NameOf(copy_) + ": " + reply.error);
    } else {
      SetUser();
    }
  });
}

void Resync::SetUser() {
  const std::string& user = shard_.node(copy_).user;
  if (user.empty()) {
    FindPrimary();
    return;
  }
  Prepare(copy_, {"CONFIG", "SET", "masteruser", user},
          [this](const ControlReply&) { FindPrimary(); });
}

// What the copy is told, where the config has a name: the number that the name stands for here. A
// Redis server looks names up while its clients wait, and its resolver may be in trouble, too. Not
// so a number that leads to this machine, which means another one to a copy elsewhere.
std::string Resync::HostToName(const std::string& host) const {
  const std::string number = port_->NumberOf(primary_);
  if (IsNumber(host) || number.empty()) return host;
  std::string error;
  const std::optional<Address> copy = ParseAddress(NameOf(copy_), &error);
  const bool near = copy && (copy->IsUnix() || IsLoopback(port_->NumberOf(copy_)));
  return IsLoopback(number) && !near ? host : number;
}

void Resync::FindPrimary() {
  std::string error;
  const std::optional<Address> address = ParseAddress(NameOf(primary_), &error);
  if (!address) {
    Fail("'" + NameOf(primary_) + "' is no address: " + error);
    return;
  }
  if (!address->IsUnix()) {
    host_ = HostToName(address->host);
    port_text_ = std::to_string(address->port);
    TakeDelayAway();
    return;
  }
  Prepare(primary_, {"CONFIG", "GET", "port"}, [this](const ControlReply& reply) {
    const int64_t port = InfoNumber(LastLine(reply.text));
    if (port <= 0) {
      GoByKeys("the primary " + NameOf(primary_) +
               " listens on its Unix socket only (CONFIG GET port says " +
               std::string(LastLine(reply.text)) +
               "), and Redis copies over TCP: give it a port on 127.0.0.1");
      return;
    }
    host_ = "127.0.0.1";
    port_text_ = std::to_string(port);
    TakeDelayAway();
  });
}

void Resync::TakeDelayAway() {
  delay_.TakeAway(primary_, Guard([this] {
                    if (const std::string why = Obstacle(); !why.empty()) {
                      Fail(why);
                    } else {
                      LeaveOtherMaster();
                    }
                  }));
}

void Resync::LeaveOtherMaster() {
  if (!leave_first_) {
    SendReplicaOf();
    return;
  }
  // Else REPLICAOF to where it replicates from already would change nothing.
  Prepare(copy_, {"REPLICAOF", "NO", "ONE"}, [this](const ControlReply&) { SendReplicaOf(); });
}

void Resync::SendReplicaOf() {
  // To a copy that replicates from there already it changes nothing, and the copying goes on.
  Command(copy_, {"REPLICAOF", host_, port_text_}, [this](const ControlReply& reply) {
    if (reply.refused && !PassesByItself(reply)) {
      GoByKeys(NameOf(copy_) + " refuses REPLICAOF (" + reply.error + ")");
    } else if (!reply.ok) {
      ours_[copy_] = true;  // as far as is known
      Fail("REPLICAOF on " + NameOf(copy_) + ": " + reply.error);
    } else {
      ours_[copy_] = true;
      Note(NoteLevel::kInfo, "resync of " + NameOf(copy_) + " from " + NameOf(primary_) + " begins",
           kNoteAgainMs);
      BeginPolling();
    }
  });
}

}  // namespace gemel
