#include "backend/shard/shard.h"

#include <algorithm>
#include <utility>

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

RequestKind KindOf(TrackedAs becomes) {
  switch (becomes) {
    case TrackedAs::kRead:
      return RequestKind::kRead;
    case TrackedAs::kWrite:
      return RequestKind::kWrite;
    case TrackedAs::kFirstWrite:
      return RequestKind::kFirstWrite;
    case TrackedAs::kBlocking:
      return RequestKind::kBlocking;
  }
  return RequestKind::kRead;
}

}  // namespace

Shard::Shard(ShardOptions options, ShardInfo info, const CommandTable* table, ChunkPool* pool,
             ShardEnv* env)
    : parts_(PartsOf(std::move(options), table, pool, env, &own_.figures, &own_.ops, this)),
      links_(&parts_),
      copies_(&links_, pool),
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
      audience_(&parts_),
      sample_(&parts_) {
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
  parts_.libraries = &libraries_;
  parts_.sample = &sample_;
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
  audience_.Stop();
  roles_.Stop();
  control_.Stop("gemel is being stopped");
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
  libraries_.Tick(now_ms);
  audience_.Tick(now_ms, random);
  sample_.Tick(now_ms);
}

void Shard::Trim() {
  own_.ops.Trim();
  reads_.Trim();
  writes_.Trim();
  first_.Trim();
  aside_.Trim();
  journals_.Trim();
  way_back_.Trim();
  removals_.Trim();
  replicated_.Trim();
  nodes_.Trim();
  hedger_.Trim();
  sample_.Trim();
}

void Shard::BeginMove(std::function<void()> drained) {
  control_.departure().Begin(std::move(drained));
}

void Shard::SubmitSlow(Request* request) {
  if (control_.departure().begun() && control_.departure().Take(request)) [[unlikely]]
    return;
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
      audience_.watches().Begin(*request);
      request->kind = RequestKind::kRead;
      Submit(request);
      return;
    case RequestKind::kNodes:
      if (!control_.PassToNodeOrders(request)) {
        hold_.AnswerError(request, "ERR shard '" + parts_.options.name + "' leaves gemel");
      }
      return;
    case RequestKind::kLibraries:
      libraries_.OnChange();
      if (!request->frame.empty()) libraries_.Tell(request->frame);
      request->sink->OnReply(request, Reply{"+OK\r\n", nullptr});
      return;
    case RequestKind::kBlocking:
      audience_.blocked().Submit(request);
      return;
    case RequestKind::kUnblock:
      audience_.blocked().Unblock(request);
      return;
    case RequestKind::kSync:
      audience_.syncs().Submit(request);
      return;
    case RequestKind::kChannels:
      audience_.channels().Submit(request);
      return;
    case RequestKind::kTracking:
      audience_.tracked().Submit(request);
      return;
    case RequestKind::kTracked:
      audience_.tracked().Begin(request);
      request->kind = KindOf(request->becomes);
      Submit(request);
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
  if (!writes_.waiting().empty() && !edits_.editing()) writes_.Settle();
  if (writes_.waiting().empty() && copies_.AllReadable()) journals_.ForgetSettled();
  open_ = false;
  if (!hold_.empty()) hold_.Release();
  open_ = hold_.CanWrite() && !hold_.leaving() && way_back_.NothingLocked() && first_.idle() &&
          hold_.empty() && !hold_.has_gate() && aside_.idle() && audience_.channels().MayPublish();
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
  audience_.channels().AddCopy(copy, node);
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
  audience_.channels().RemoveCopy(copy);
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
    audience_.channels().SetOptions(i, *mine);
  }
  parts_.options.nodes = std::move(nodes);
  reads_.SetOptions();
  nodes_.SetOptions();
  hold_.SetOptions();
  Refresh();
}

// What a copy that was replaced has, its run_id says to whoever comes.
bool Shard::Quiet() const {
  return writes_.Quiet() && copies_.unsure() == 0 && removals_.doubts().empty() &&
         !way_back_.repairs().Concerns(copies_.in_sync());
}

bool Shard::Idle() const {
  if (!Quiet() || !hold_.empty() || !aside_.empty() || !way_back_.NothingLocked() ||
      !control_.idle() || !audience_.NoneWaits()) {
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
