// What a shard says of itself: its parts of PROXY SHARDS and PROXY EXPLAIN, as fragments of RESP2
// that the asker joins. Nothing is sent to any node.

#include <bit>

#include "backend/resp/resp_writer.h"
#include "backend/shard/shard.h"

namespace gemel {

namespace {

void AppendField(std::string* out, std::string_view name, std::string_view value) {
  AppendBulk(out, name);
  AppendBulk(out, value);
}

void AppendField(std::string* out, std::string_view name, uint64_t value) {
  AppendBulk(out, name);
  AppendInteger(out, static_cast<int64_t>(value));
}

}  // namespace

void Shard::Report(Request* request) {
  std::string out;
  AppendArrayHeader(&out, 64);
  AppendField(&out, "name", info_.name);
  AppendField(&out, "epoch", info_.epoch);
  AppendField(&out, "primary", info_.copies[primary_].node);
  AppendField(&out, "config_primary", options_.home);
  AppendField(&out, "members", member_note_);
  AppendField(&out, "held", held_.size());
  AppendField(&out, "reads", stats_.reads);
  AppendField(&out, "writes", stats_.writes);
  AppendField(&out, "fallbacks", stats_.fallbacks);
  AppendField(&out, "hedged", stats_.hedged);
  AppendField(&out, "hedge_wins", stats_.hedge_wins);
  AppendField(&out, "side_reads", stats_.side_reads);
  AppendField(&out, "blamed_reads", stats_.blamed_reads);
  AppendField(&out, "refused_large", stats_.refused_large);
  AppendField(&out, "ended_scripts", stats_.ended_scripts);
  AppendField(&out, "diverged", stats_.diverged);
  AppendField(&out, "repaired", stats_.repaired);
  AppendField(&out, "promotions", stats_.promotions);
  AppendField(&out, "resyncs", stats_.resyncs);
  AppendField(&out, "audits", stats_.audits);
  AppendField(&out, "audited", stats_.audited);
  AppendField(&out, "audit_differences", stats_.audit_differences);
  AppendField(&out, "audit_repaired", stats_.audit_repaired);
  AppendField(&out, "audit_skipped", stats_.audit_skipped);
  AppendField(&out, "sweep", sweep_note_);
  AppendField(&out, "sweeps", stats_.sweeps);
  AppendField(&out, "sweep_scanned", stats_.sweep_scanned);
  AppendField(&out, "forgotten", stats_.forgotten);
  AppendField(&out, "forgotten_on_access", stats_.forgotten_on_access);
  AppendField(&out, "edits_failed", stats_.edits_failed);
  AppendField(&out, "edit_error", edit_error_);
  AppendBulk(&out, "nodes");
  AppendArrayHeader(&out, member_count());
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if (copies_[i]->removed) continue;
    const Link& link = *copies_[i]->link;
    const bool in_sync = (in_sync_ & Bit(i)) != 0;
    AppendArrayHeader(&out, 22);
    AppendField(&out, "address", info_.copies[i].node);
    AppendField(&out, "role", i == primary_ ? "primary" : "replica");
    AppendField(&out, "state",
                in_sync                     ? "in-sync"
                : info_.copies[i].drained() ? "drained"
                                            : "stale");
    AppendField(&out, "health", NodeHealthName(HealthOf(i)));
    AppendField(&out, "link", link.up() ? "up" : "down");
    AppendField(&out, "pending", link.pending());
    AppendField(&out, "run_id",
                ProcessOf(link.up() ? link.identity().run_id : info_.copies[i].run_id));
    AppendField(&out, "reason",
                !copies_[i]->refusal.empty() ? "not used: " + copies_[i]->refusal
                : in_sync                    ? link.last_error()
                                             : info_.copies[i].reason);
    AppendField(&out, "resync",
                copies_[i]->resync_note.empty() ? MendNote(i) : copies_[i]->resync_note);
    AppendField(&out, "version", link.identity().version);
    AppendField(&out, "warning", copies_[i]->warning);
  }
  request->sink->OnReply(request, Reply{out, nullptr});
}

int Shard::ExplainRead(bool primary_only, std::string* why) const {
  const int copy = PickRead(~CopyMask{0}, primary_only);
  if (copy < 0) {
    *why = DownText();
    return copy;
  }
  if (in_sync_ == Bit(static_cast<uint32_t>(copy))) {
    *why = "it is the only copy in sync";
  } else if ((silent_ & readable_) != 0 && (silent_ & Bit(static_cast<uint32_t>(copy))) == 0 &&
             !primary_only) {
    *why = "another copy has not answered for a while";
  } else if (primary_only) {
    *why = "the command must be read from the primary";
  } else if (options_.read_from == ReadFrom::kPrimary) {
    *why = static_cast<uint32_t>(copy) == primary_ ? "reads go to the primary"
                                                   : "reads go to the primary, which is not ready";
  } else if (options_.read_from == ReadFrom::kReplica) {
    *why = static_cast<uint32_t>(copy) == primary_ ? "reads go to a replica, and none is ready"
                                                   : "reads go to a replica";
  } else {
    *why = "reads go to the copy with the fewest requests pending";
  }
  return copy;
}

void Shard::Explain(Request* request) {
  std::string out;
  AppendField(&out, "shard", info_.name);
  AppendBulk(&out, "write_to");
  AppendArrayHeader(&out, std::popcount(targets_));
  // The primary first: its reply is the client's.
  if ((targets_ & Bit(primary_)) != 0) AppendBulk(&out, info_.copies[primary_].node);
  for (CopyMask rest = targets_ & ~Bit(primary_); rest != 0; rest &= rest - 1) {
    AppendBulk(&out, info_.copies[static_cast<uint32_t>(std::countr_zero(rest))].node);
  }
  std::string why;
  const int copy = ExplainRead(request->primary_only, &why);
  AppendField(&out, "read_from",
              copy < 0 ? std::string_view() : info_.copies[static_cast<uint32_t>(copy)].node);
  if (request->frame == kExplainWrite) {
    if (!CanWrite()) {
      why = Hopeful() ? "a write waits: the shard's roles are being settled" : DownText();
    } else {
      why = std::string("a write goes to every copy in sync") +
            (joining_ == 0 ? "" : " and to those being repaired") + "; a read: " + why;
    }
  }
  AppendField(&out, "why", why);
  request->sink->OnReply(request, Reply{out, nullptr});
}

}  // namespace gemel
