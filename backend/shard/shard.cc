#include "backend/shard/shard.h"

#include <algorithm>
#include <utility>

#include "backend/command/script_guard.h"
#include "backend/shard/node_abilities.h"
#include "backend/shard/server_claims.h"
#include "backend/shard/shard_report.h"

namespace gemel {

namespace {

ShardParts PartsOf(ShardOptions options, const CommandTable* table, ChunkPool* pool, ShardEnv* env,
                   Figures* figures, OpPool* ops, ShardCenter* shard) {
  ShardParts parts;
  parts.options = std::move(options);
  parts.table = table;
  parts.pool = pool;
  parts.env = env;
  parts.figures = figures;
  parts.ops = ops;
  parts.shard = shard;
  return parts;
}

}  // namespace

Shard::Shard(ShardOptions options, ShardInfo info, const CommandTable* table, ChunkPool* pool,
             ShardEnv* env)
    : parts_(PartsOf(std::move(options), table, pool, env, &figures_, &ops_, this)),
      copies_(this, pool),
      hedger_(&parts_),
      reads_(&parts_),
      writes_(&parts_),
      first_(&parts_),
      aside_(&parts_),
      hold_(&parts_),
      journals_(&parts_),
      scans_(&parts_),
      way_back_(&parts_),
      removals_(&parts_),
      replicated_(&parts_),
      edits_(&parts_),
      roles_(&parts_),
      nodes_(&parts_),
      loss_(&parts_),
      comparison_(&parts_),
      control_(&parts_),
      libraries_(&parts_),
      watches_(&parts_),
      blocked_(&parts_),
      syncs_(&parts_),
      channels_(&parts_) {
  parts_.copies = &copies_;
  parts_.hedger = &hedger_;
  parts_.reads = &reads_;
  parts_.writes = &writes_;
  parts_.first = &first_;
  parts_.aside = &aside_;
  parts_.hold = &hold_;
  parts_.journals = &journals_;
  parts_.scans = &scans_;
  parts_.way_back = &way_back_;
  parts_.removals = &removals_;
  parts_.replicated = &replicated_;
  parts_.edits = &edits_;
  parts_.roles = &roles_;
  parts_.nodes = &nodes_;
  parts_.loss = &loss_;
  parts_.comparison = &comparison_;
  parts_.control = &control_;
  parts_.watches = &watches_;
  parts_.blocked = &blocked_;
  for (const LinkOptions& node : parts_.options.nodes) TakePlace(node);
  std::string& home = parts_.options.home;
  if (home.empty() && !parts_.options.nodes.empty()) home = parts_.options.nodes[0].name;
  edits_.Take(info);
}

Shard::~Shard() = default;

void Shard::Start() {
  const uint64_t now_ms = parts_.env->NowMs();
  roles_.Start(now_ms);
  for (uint32_t i = 0; i < copies_.count(); ++i) copies_.link(i).Start(now_ms);
}

void Shard::Stop() {
  blocked_.Stop();
  syncs_.Stop();
  channels_.Stop();
  roles_.Stop();
  control_.Stop();
  aside_.Stop();
  removals_.feeds().Stop();
  for (uint32_t i = 0; i < copies_.count(); ++i) copies_.link(i).Stop();
  writes_.Stop();
  hold_.Stop();
}

void Shard::Tick(uint64_t now_ms, uint32_t random) {
  for (uint32_t i = 0; i < copies_.count(); ++i) {
    copies_.link(i).Tick(now_ms, random += 0x9e3779b9u);
  }
  nodes_.Tick(now_ms);
  hedger_.Tick(reads_.reads());
  reads_.sample().Tick();
  aside_.Tick(now_ms, random);
  removals_.Tick(now_ms, random);
  hold_.Tick(now_ms);
  writes_.Tick(now_ms);
  roles_.Reconcile();
  if (!roles_.stopped()) way_back_.Tick(now_ms);
  loss_.Tick(now_ms);
  control_.Tick(now_ms);
  watches_.Tick(now_ms);
  TickBlocked(now_ms);
  libraries_.Tick(now_ms);
  channels_.Tick(now_ms, random);
}

void Shard::TickBlocked(uint64_t now_ms) {
  if (!blocked_.idle()) blocked_.Tick(now_ms);
  if (!syncs_.idle()) syncs_.Tick(now_ms);
}

void Shard::Trim() {
  ops_.Trim();
  reads_.sample().Trim();
  writes_.Trim();
  first_.Trim();
  aside_.Trim();
  journals_.Trim();
  way_back_.Trim();
  removals_.Trim();
  replicated_.Trim();
  nodes_.Trim();
  hedger_.Trim();
}

void Shard::SubmitSlow(Request* request) {
  switch (request->kind) {
    case RequestKind::kReport:
      ReportShard(parts_, request);
      return;
    case RequestKind::kExplain:
      ExplainShard(parts_, request);
      return;
    case RequestKind::kControl:
      control_.Submit(request);
      return;
    case RequestKind::kWatch:
      watches_.Begin(*request);
      request->kind = RequestKind::kRead;
      Submit(request);
      return;
    case RequestKind::kLibraries:
      libraries_.OnChange();
      if (!request->frame.empty()) libraries_.Tell(request->frame);
      request->sink->OnReply(request, Reply{"+OK\r\n", nullptr});
      return;
    case RequestKind::kBlocking:
      blocked_.Submit(request);
      return;
    case RequestKind::kUnblock:
      blocked_.Unblock(request);
      return;
    case RequestKind::kSync:
      syncs_.Submit(request);
      return;
    case RequestKind::kChannels:
      channels_.Submit(request);
      return;
    case RequestKind::kKill:
      if (!nodes_.PassToKiller(request)) {
        hold_.AnswerError(request, "NOTBUSY No scripts in execution right now.");
      }
      return;
    case RequestKind::kAudit:
      if (!comparison_.PassToAudit(request)) {
        hold_.AnswerError(request, "ERR shard '" + parts_.options.name + "' has no audit");
      }
      return;
    default:
      if (request->database > copies_.last_database()) {
        hold_.AnswerError(request, "ERR DB index is out of range: a node of shard '" +
                                       parts_.options.name +
                                       "' has fewer databases than [proxy] databases");
        return;
      }
      hold_.Submit(request);
  }
}

// All who wait may do so for what has changed now.
void Shard::Refresh() {
  copies_.set_readable(roles_.Readable());
  if (!writes_.NoneWaits() && !edits_.editing()) writes_.Settle();
  if (writes_.NoneWaits() && copies_.in_sync() == copies_.readable()) journals_.ForgetSettled();
  open_ = false;
  if (!hold_.empty()) hold_.Release();
  open_ = hold_.CanWrite() && way_back_.NothingLocked() && first_.idle() && hold_.empty() &&
          !hold_.has_gate() && aside_.idle();
}

std::string Shard::WhyNot(const Link& link, const NodeIdentity& identity) {
  return roles_.WhyNot(link, identity);
}

void Shard::OnLinkUp(Link* link, const NodeIdentity& identity) {
  libraries_.OnUp(link->index());
  copies_.CountDatabases();
  nodes_.OnLinkUp(link->index());
  roles_.OnLinkUp(*link, identity);
  removals_.OnMainUp(link->index());
  channels_.OnMainUp(link->index());
  if (NodeAbilities* abilities = parts_.env->abilities(); abilities != nullptr) {
    abilities->Note(
        {parts_.options.name, link->name()},
        {identity.speaks_resp3, identity.has_databases || link->options().databases == 1,
         identity.takes_blocks, CanConfine(identity.dump_version)});
  }
}

void Shard::OnLinkReply(Link* link, LinkItem* item, const Reply& reply, std::string_view frame) {
  switch (item->item_kind) {
    case LinkItem::Kind::kRequest:
      reads_.OnReply(*link, static_cast<Request*>(item), reply, frame);
      return;
    case LinkItem::Kind::kWrite:
      writes_.OnReply(*link, static_cast<Op*>(item), reply, frame);
      return;
    case LinkItem::Kind::kRepair:
      OnRepair(link->index(), static_cast<Op*>(item), &reply);
      return;
    case LinkItem::Kind::kState:
      first_.OnReply(*link, static_cast<Op*>(item), reply);
      return;
    case LinkItem::Kind::kCompare:
      comparison_.OnReply(link->index(), static_cast<Op*>(item), reply.bytes);
      return;
    case LinkItem::Kind::kHedge:
      hedger_.OnReply(link->index(), static_cast<Hedge*>(item), reply, frame);
      return;
    case LinkItem::Kind::kRemoval:
      removals_.OnReply(link->index(), *static_cast<Op*>(item), reply.bytes, frame);
      ops_.Free(static_cast<Op*>(item));
      return;
    case LinkItem::Kind::kLibrary:
      libraries_.OnReply(link->index(), reply.bytes, parts_.env->NowMs());
      return;
    case LinkItem::Kind::kTouch:
      reads_.sample().OnReply(link->index(), reply.bytes);
      return;
  }
}

void Shard::OnRepair(uint32_t copy, Op* op, const Reply* reply) {
  if (op->repair_job == KeyRepair::kNoJob) {
    loss_.OnDeleted(copy, reply != nullptr && reply->bytes[0] != '-');
  } else if (op->repair_job == KeyRepair::kScanJob) {
    reply != nullptr ? scans_.OnReply(*op, reply->bytes) : scans_.OnLost(*op);
  } else {
    reply != nullptr ? way_back_.OnReply(copy, *op, reply->bytes) : way_back_.OnLost(copy, *op);
  }
  ops_.Free(op);
}

void Shard::OnLinkLost(Link* link, LinkItem* item, std::string_view frame) {
  const uint32_t copy = link->index();
  // Where the node closed the connection each read in line may be why; where it was given up here,
  // what the node was working on.
  const bool suspect = link->end().by_node ? !link->end().rest_unread
                                           : !copies_.losing() && !link->end().told_culprit;
  copies_.Losing(copy);
  removals_.feeds().OnMainDown(copy);
  open_ = false;
  const bool read =
      item->item_kind != LinkItem::Kind::kWrite && item->item_kind != LinkItem::Kind::kState &&
      item->item_kind != LinkItem::Kind::kRemoval && item->item_kind != LinkItem::Kind::kTouch &&
      item->item_kind != LinkItem::Kind::kLibrary;
  if (suspect && link->end().by_node && read) aside_.BeCareful();
  if (link->end().misplaced) [[unlikely]]
    OnMisplaced(*link, *item, frame);
  switch (item->item_kind) {
    case LinkItem::Kind::kRequest:
      reads_.OnLost(*link, static_cast<Request*>(item), frame, suspect);
      return;
    case LinkItem::Kind::kWrite:
      writes_.OnLost(*link, static_cast<Op*>(item), frame);
      return;
    case LinkItem::Kind::kRepair:
      OnRepair(copy, static_cast<Op*>(item), nullptr);
      return;
    case LinkItem::Kind::kState:
      first_.OnLost(*link, static_cast<Op*>(item));
      return;
    case LinkItem::Kind::kCompare:
      comparison_.OnLost(copy, static_cast<Op*>(item));
      return;
    case LinkItem::Kind::kHedge:
      hedger_.OnLost(*link, static_cast<Hedge*>(item), frame, suspect);
      return;
    case LinkItem::Kind::kRemoval:
      removals_.OnLost(copy, *static_cast<Op*>(item), frame);
      ops_.Free(static_cast<Op*>(item));
      return;
    case LinkItem::Kind::kTouch:
      reads_.sample().OnLost(copy);
      return;
    case LinkItem::Kind::kLibrary:
      return;  // the next connection brings it
  }
}

// What is lost may have been carried out in another database than its own: there the copy has wrong
// what the others have right.
void Shard::OnMisplaced(const Link& link, const LinkItem& item, std::string_view frame) {
  const uint8_t database = link.end().database;
  const CommandRow* row = FrameKeys(parts_.table).SplitWithRow(frame);
  if (row == nullptr || (!row->IsWrite() && !item.block) || item.database == database) return;
  parts_.Note(NoteLevel::kError, link.name() + " refused SELECT " + std::to_string(item.database) +
                                     ", and " + std::string(row->name) +
                                     " may have been carried out in database " +
                                     std::to_string(database) +
                                     " there: the keys are made equal with the other copies'");
  journals_.RecordKeys(copies_.targets() | journals_.recording(), frame, database);
  roles_.MarkUnsure(link.index(), "a write may have come to another database");
}

void Shard::OnLinkDown(Link* link, const std::string& reason, bool refused) {
  const uint32_t copy = link->index();
  copies_.LossEnded(copy);
  nodes_.OnLinkEnd(copy);
  removals_.feeds().OnMainDown(copy);
  const bool was_up = roles_.OnLinkDown(*link, reason, refused);
  if (refused) nodes_.OnLinkRefused(copy);
  if (roles_.stopped()) return;
  // At once: a process that lives is back before anybody notices, one that died refuses.
  if (was_up && !refused) link->Tick(parts_.env->NowMs(), 0);
  roles_.Reconcile();
}

bool Shard::MayTakeLonger(const Link& link, uint64_t overdue_ms) {
  return nodes_.MayTakeLonger(link, overdue_ms);
}

// A place for the node in every part; -1: there is none.
int Shard::TakePlace(const LinkOptions& node) {
  const int index = copies_.Add(node);
  if (index < 0) return index;
  const auto copy = static_cast<uint32_t>(index);
  journals_.AddCopy(copy);
  scans_.AddCopy(copy);
  way_back_.AddCopy(copy);
  roles_.AddCopy(copy);
  nodes_.AddCopy(copy);
  hedger_.AddCopy(copy);
  aside_.AddCopy(copy, node);
  removals_.feeds().AddCopy(copy, node);
  channels_.AddCopy(copy, node);
  copies_.CountDatabases();
  return index;
}

int Shard::AddCopy(const LinkOptions& node, const ShardInfo& info) {
  const int index = TakePlace(node);
  if (index < 0) {
    edits_.Take(info);  // its epoch: the next edit is decided on that
    return index;
  }
  std::vector<LinkOptions>& nodes = parts_.options.nodes;
  nodes.resize(std::max<size_t>(nodes.size(), static_cast<size_t>(index) + 1));
  nodes[static_cast<size_t>(index)] = node;
  edits_.Take(info);
  Refresh();
  return index;
}

void Shard::RemoveCopy(uint32_t copy) {
  journals_.Forget(copy);
  copies_.Remove(copy);
  copies_.link(copy).Stop();
  aside_.RemoveCopy(copy);
  removals_.feeds().RemoveCopy(copy);
  channels_.RemoveCopy(copy);
  copies_.CountDatabases();
  if (ServerClaims* claims = parts_.env->claims(); claims != nullptr) {
    claims->Release({parts_.options.name, copies_.link(copy).name()});
  }
  if (NodeAbilities* abilities = parts_.env->abilities(); abilities != nullptr) {
    abilities->Forget({parts_.options.name, copies_.link(copy).name()});
  }
  Refresh();
}

void Shard::SetOptions(const ShardOptions& options) {
  std::vector<LinkOptions> nodes = std::move(parts_.options.nodes);
  parts_.options = options;
  for (uint32_t i = 0; i < copies_.count(); ++i) {
    const auto mine =
        std::find_if(options.nodes.begin(), options.nodes.end(),
                     [&](const LinkOptions& node) { return node.name == nodes[i].name; });
    if (!copies_.IsMember(i) || mine == options.nodes.end()) continue;
    nodes[i] = *mine;
    copies_.link(i).set_options(*mine);
    aside_.SetOptions(i, *mine);
    removals_.feeds().SetOptions(i, *mine);
    channels_.SetOptions(i, *mine);
  }
  parts_.options.nodes = std::move(nodes);
  reads_.SetOptions();
  nodes_.SetOptions();
  hold_.SetOptions();
  Refresh();
}

bool Shard::Idle() const {
  if (!Quiet() || !hold_.empty() || !aside_.empty() || !way_back_.NothingLocked() ||
      !control_.idle() || !blocked_.idle() || !syncs_.idle()) {
    return false;
  }
  for (uint32_t i = 0; i < copies_.count(); ++i) {
    if (!copies_.link(i).line().empty()) return false;
  }
  return true;
}

std::string Shard::Broken() const {
  if (std::string broken = copies_.Broken(); !broken.empty()) return broken;
  for (uint32_t i = 0; i < copies_.count(); ++i) {
    const bool has_journal = journals_.of(i) != nullptr;
    const auto broken = [&](std::string_view how) {
      return "copy " + std::to_string(i) + " is " + std::string(CopyStageName(copies_.stage(i))) +
             std::string(how);
    };
    switch (copies_.stage(i)) {
      case CopyStage::kRemoved:
      case CopyStage::kUnknown:
        if (has_journal) return broken(" and has a journal");
        break;
      case CopyStage::kBehind:
      case CopyStage::kJoining:
      case CopyStage::kScanned:
        if (!has_journal) return broken(" and has no journal");
        break;
      default:
        break;
    }
    if (copies_.Is(i, CopyStage::kScanned) && !scans_.IsCopying(i)) return broken(" by nobody");
    if (!copies_.InSync(i) && (edits_.leaving() & Bit(i)) != 0 && copies_.joining() & Bit(i)) {
      return broken(" and leaves");
    }
  }
  return {};
}

}  // namespace gemel
