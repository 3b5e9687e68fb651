#include "backend/forget/forget_asks.h"

#include "backend/command/command_table.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// No client has this number; deletions stand in no client's order.
constexpr uint32_t kNoSession = ~0u;

const CommandRow* FindRow(std::string_view name) {
  for (const CommandRow& row : BuiltinCommands()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace

ForgetAsks::ForgetAsks(RequestSink* sink)
    : sink_(sink), unlink_(FindRow("unlink")), scan_(FindRow("scan")), ping_(FindRow("ping")) {}

const CommandRow* ForgetAsks::RowOf(ForgetAsk::What what) const {
  switch (what) {
    case ForgetAsk::What::kScan:
      return scan_;
    case ForgetAsk::What::kProve:
      return ping_;
    case ForgetAsk::What::kSweepDelete:
    case ForgetAsk::What::kAccessDelete:
      break;
  }
  return unlink_;
}

ForgetAsk* ForgetAsks::New(ForgetAsk::What what, uint64_t round,
                           const std::vector<std::string_view>& args) {
  if (free_.empty()) {
    asks_.push_back(std::make_unique<ForgetAsk>());
    free_.push_back(asks_.back().get());
  }
  ForgetAsk* ask = free_.back();
  free_.pop_back();
  ask->what = what;
  ask->round = round;
  ask->row = RowOf(what);
  ask->kind = ask->row == unlink_ ? RequestKind::kWrite : RequestKind::kRead;
  ask->database = 0;
  ask->primary_only = true;
  ask->session = kNoSession;
  ask->sink = sink_;
  ask->of_shard = true;
  ask->text.clear();
  AppendCommand(&ask->text, args);
  ask->frame = ask->text;
  return ask;
}

void ForgetAsks::Free(ForgetAsk* ask) {
  ask->marked.clear();
  if (ask->extra != nullptr) ask->extra->owned.Clear();
  free_.push_back(ask);
}

}  // namespace gemel
