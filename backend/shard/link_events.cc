#include "backend/shard/link_events.h"

#include "backend/command/script_guard.h"
#include "backend/shard/aside.h"
#include "backend/shard/audience.h"
#include "backend/shard/comparison.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/hedger.h"
#include "backend/shard/journals.h"
#include "backend/shard/libraries.h"
#include "backend/shard/loss_watch.h"
#include "backend/shard/node_abilities.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/read_path.h"
#include "backend/shard/removals.h"
#include "backend/shard/scan_copies.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

std::string LinkEvents::WhyNot(const Link& link, const NodeIdentity& identity) {
  return parts_->roles->WhyNot(link, identity);
}

void LinkEvents::OnLinkUp(Link* link, const NodeIdentity& identity) {
  parts_->libraries->OnUp(link->index());
  parts_->copies->CountDatabases();
  parts_->nodes->OnLinkUp(link->index());
  parts_->blocked->Doubt();
  // Before what waits to be published goes out.
  parts_->audience->channels().OnMainUp(link->index());
  parts_->roles->OnLinkUp(*link, identity);
  parts_->removals->OnMainUp(link->index());
  if (NodeAbilities* abilities = parts_->env->abilities(); abilities != nullptr) {
    abilities->Note(
        {parts_->options.name, link->name()},
        {identity.speaks_resp3, identity.has_databases || link->options().databases == 1,
         identity.takes_blocks, CanConfine(identity.dump_version)});
  }
}

void LinkEvents::OnLinkReply(Link* link, LinkItem* item, const Reply& reply,
                             std::string_view frame) {
  switch (item->item_kind) {
    case LinkItem::Kind::kRequest:
      parts_->reads->OnReply(*link, static_cast<Request*>(item), reply, frame);
      return;
    case LinkItem::Kind::kWrite:
      parts_->writes->OnReply(*link, static_cast<Op*>(item), reply, frame);
      return;
    case LinkItem::Kind::kRepair:
      OnRepair(link->index(), static_cast<Op*>(item), &reply);
      return;
    case LinkItem::Kind::kState:
      parts_->first->OnReply(*link, static_cast<Op*>(item), reply);
      return;
    case LinkItem::Kind::kCompare:
      parts_->comparison->OnReply(link->index(), static_cast<Op*>(item), reply.bytes);
      return;
    case LinkItem::Kind::kHedge:
      parts_->hedger->OnReply(link->index(), static_cast<Hedge*>(item), reply, frame);
      return;
    case LinkItem::Kind::kRemoval:
      parts_->removals->OnReply(link->index(), *static_cast<Op*>(item), reply.bytes, frame);
      parts_->ops->Free(static_cast<Op*>(item));
      return;
    case LinkItem::Kind::kLibrary:
      parts_->libraries->OnReply(link->index(), reply.bytes, parts_->env->NowMs());
      return;
    case LinkItem::Kind::kTouch:
      parts_->reads->sample().OnReply(link->index(), reply.bytes);
      return;
  }
}

void LinkEvents::OnRepair(uint32_t copy, Op* op, const Reply* reply) {
  if (op->repair_job == KeyRepair::kNoJob) {
    parts_->loss->OnDeleted(copy, reply != nullptr && reply->bytes[0] != '-');
  } else if (op->repair_job == KeyRepair::kScanJob) {
    reply != nullptr ? parts_->scans->OnReply(*op, reply->bytes) : parts_->scans->OnLost(*op);
  } else {
    reply != nullptr ? parts_->way_back->OnReply(copy, *op, reply->bytes)
                     : parts_->way_back->OnLost(copy, *op);
  }
  parts_->ops->Free(op);
}

void LinkEvents::OnLinkLost(Link* link, LinkItem* item, std::string_view frame) {
  const uint32_t copy = link->index();
  // Where the node closed the connection each read in line may be why; where it was given up here,
  // what the node was working on.
  const bool suspect = link->end().by_node ? !link->end().rest_unread
                                           : !parts_->copies->losing() && !link->end().told_culprit;
  parts_->copies->Losing(copy);
  parts_->removals->feeds().OnMainDown(copy);
  parts_->shard->LeaveShortWay();
  const bool read =
      item->item_kind != LinkItem::Kind::kWrite && item->item_kind != LinkItem::Kind::kState &&
      item->item_kind != LinkItem::Kind::kRemoval && item->item_kind != LinkItem::Kind::kTouch &&
      item->item_kind != LinkItem::Kind::kLibrary;
  if (suspect && link->end().by_node && read) parts_->aside->BeCareful();
  if (link->end().misplaced) [[unlikely]]
    OnMisplaced(*link, *item, frame);
  switch (item->item_kind) {
    case LinkItem::Kind::kRequest:
      parts_->reads->OnLost(*link, static_cast<Request*>(item), frame, suspect);
      return;
    case LinkItem::Kind::kWrite:
      parts_->writes->OnLost(*link, static_cast<Op*>(item), frame);
      return;
    case LinkItem::Kind::kRepair:
      OnRepair(copy, static_cast<Op*>(item), nullptr);
      return;
    case LinkItem::Kind::kState:
      parts_->first->OnLost(*link, static_cast<Op*>(item));
      return;
    case LinkItem::Kind::kCompare:
      parts_->comparison->OnLost(copy, static_cast<Op*>(item));
      return;
    case LinkItem::Kind::kHedge:
      parts_->hedger->OnLost(*link, static_cast<Hedge*>(item), frame, suspect);
      return;
    case LinkItem::Kind::kRemoval:
      parts_->removals->OnLost(copy, *static_cast<Op*>(item), frame);
      parts_->ops->Free(static_cast<Op*>(item));
      return;
    case LinkItem::Kind::kTouch:
      parts_->reads->sample().OnLost(copy);
      return;
    case LinkItem::Kind::kLibrary:
      return;  // the next connection brings it
  }
}

// What is lost may have been carried out in another database than its own: there the copy has wrong
// what the others have right.
void LinkEvents::OnMisplaced(const Link& link, const LinkItem& item, std::string_view frame) {
  const uint8_t database = link.end().database;
  const CommandRow* row = FrameKeys(parts_->table).SplitWithRow(frame);
  if (row == nullptr || (!row->IsWrite() && !item.block) || item.database == database) return;
  parts_->Note(NoteLevel::kError, link.name() + " refused SELECT " + std::to_string(item.database) +
                                      ", and " + std::string(row->name) +
                                      " may have been carried out in database " +
                                      std::to_string(database) +
                                      " there: the keys are made equal with the other copies'");
  parts_->journals->RecordKeys(parts_->copies->targets() | parts_->journals->recording(), frame,
                               database);
  parts_->roles->MarkUnsure(link.index(), "a write may have come to another database");
}

void LinkEvents::OnLinkDown(Link* link, const std::string& reason, bool refused) {
  const uint32_t copy = link->index();
  parts_->copies->LossEnded(copy);
  parts_->nodes->OnLinkEnd(copy);
  parts_->removals->feeds().OnMainDown(copy);
  const bool was_up = parts_->roles->OnLinkDown(*link, reason, refused);
  if (refused) parts_->nodes->OnLinkRefused(copy);
  if (parts_->roles->stopped()) return;
  // At once: a process that lives is back before anybody notices, one that died refuses.
  if (was_up && !refused) link->Tick(parts_->env->NowMs(), 0);
  parts_->roles->Reconcile();
}

bool LinkEvents::MayTakeLonger(const Link& link, uint64_t overdue_ms) {
  return parts_->nodes->MayTakeLonger(link, overdue_ms);
}

void LinkEvents::OnLinkHeard(Link*) { parts_->removals->feeds().OnMainHeard(); }

}  // namespace gemel
