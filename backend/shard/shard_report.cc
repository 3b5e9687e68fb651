#include "backend/shard/shard_report.h"

#include <string>
#include <string_view>

#include "backend/figures/figures.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/key_sample.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/read_path.h"
#include "backend/shard/removals.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_readings.h"
#include "backend/shard/shard_roles.h"

namespace gemel {

namespace {

// A map, whose size is written in front of it.
class FieldList {
 public:
  void Add(std::string_view name, std::string_view value) {
    AppendBulk(&fields_, name);
    AppendBulk(&fields_, value);
    ++count_;
  }
  void Add(std::string_view name, uint64_t value) {
    AppendBulk(&fields_, name);
    AppendInteger(&fields_, static_cast<int64_t>(value));
    ++count_;
  }
  // `value` is RESP already.
  void AddRaw(std::string_view name, std::string_view value) {
    AppendBulk(&fields_, name);
    fields_ += value;
    ++count_;
  }
  void AppendTo(std::string* out) const {
    AppendMapHeader(out, count_);
    *out += fields_;
  }
  const std::string& fields() const { return fields_; }

 private:
  std::string fields_;
  int64_t count_ = 0;
};

std::string Told(const std::function<std::string()>& note) { return note ? note() : ""; }

std::string Told(const std::function<std::string(uint32_t)>& note, uint32_t copy) {
  return note ? note(copy) : "";
}

void AppendNode(const ShardParts& parts, uint32_t copy, std::string* out) {
  const Copies& copies = *parts.copies;
  const Link& link = copies.link(copy);
  FieldList fields;
  fields.Add("address", copies.info(copy).node);
  fields.Add("role", RoleWord(parts, copy));
  fields.Add("state", StateWord(parts, copy));
  fields.Add("health", NodeHealthName(parts.nodes->HealthOf(copy)));
  fields.Add("link", link.up() ? "up" : "down");
  for (const NodeNumber& number : NodeNumbers()) {
    if (!number.in_words) fields.Add(number.name, number.value(parts, copy));
  }
  fields.Add("run_id", ProcessOf(link.up() ? link.identity().run_id : copies.run_id(copy)));
  fields.Add("reason", ReasonText(parts, copy));
  fields.Add("resync", ResyncText(parts, copy));
  fields.Add("removals", parts.removals->feeds().IsFollowed(copy)
                             ? "followed"
                             : parts.removals->feeds().Note(copy));
  fields.Add("version", link.identity().version);
  fields.Add("warning", Told(parts.notes.warning, copy));
  if (parts.notes.settings) {
    for (const auto& [name, value] : parts.notes.settings(copy)) fields.Add(name, value);
  }
  fields.AppendTo(out);
}

void Answer(Request* request, const std::string& reply) {
  request->sink->OnReply(request, Reply{reply, nullptr});
}

}  // namespace

void ReportShard(const ShardParts& parts, Request* request) {
  if (request->frame == kReportHotKeys) return Answer(request, HotKeyLines(parts.sample->Hot()));
  if (request->frame == kReportBigKeys) return Answer(request, BigKeyLines(parts.sample->Big()));
  const Copies& copies = *parts.copies;
  FieldList fields;
  fields.Add("name", parts.options.name);
  fields.Add("primary", copies.info(copies.primary()).node);
  fields.Add("config_primary", parts.options.home);
  if (!parts.notes.owner.empty()) {
    fields.Add("owner", parts.notes.owner);
    fields.Add("turn", parts.notes.turn);
  }
  fields.Add("members", Told(parts.notes.members));
  fields.Add("sweep", Told(parts.notes.sweep));
  fields.Add("edit_error", parts.edits->error());
  for (const ShardNumber& number : ShardNumbers()) fields.Add(number.name, number.value(parts));
  for (const Figure* figure : parts.figures->all()) fields.Add(figure->name(), figure->value());
  std::string nodes;
  AppendArrayHeader(&nodes, copies.members());
  for (uint32_t i = 0; i < copies.count(); ++i) {
    if (copies.IsMember(i)) AppendNode(parts, i, &nodes);
  }
  fields.AddRaw("nodes", nodes);
  std::string out;
  fields.AppendTo(&out);
  Answer(request, out);
}

ShardExplanation ExplanationOf(const ShardParts& parts, const Request& request) {
  const Copies& copies = *parts.copies;
  const CopyMask targets = copies.targets();
  const CopyMask primary = Bit(copies.primary());
  ShardExplanation told;
  // The primary first: its reply is the client's.
  if ((targets & primary) != 0) told.write_to.push_back(copies.info(copies.primary()).node);
  ForEachCopy(targets & ~primary,
              [&](uint32_t copy) { told.write_to.push_back(copies.info(copy).node); });
  std::string& why = told.why;
  const int copy = parts.reads->Explain(request.primary_only, &why);
  if (copy >= 0) told.read_from = copies.info(static_cast<uint32_t>(copy)).node;
  const bool first = request.frame == kExplainFirstWrite && copies.members() > 1;
  if (request.frame == kExplainWrite || request.frame == kExplainFirstWrite) {
    if (!parts.hold->CanWrite()) {
      why = parts.roles->Hopeful() ? "a write waits: the shard's roles are being settled"
                                   : parts.hold->DownText();
    } else {
      why = std::string(first ? "the primary executes this write alone, and then what came of it "
                                "goes to every other copy in sync"
                              : "a write goes to every copy in sync") +
            (copies.joining() == 0 ? "" : " and to those being repaired") + "; a read: " + why;
    }
  }
  return told;
}

void ExplainShard(const ShardParts& parts, Request* request) {
  const ShardExplanation told = ExplanationOf(parts, *request);
  std::string nodes;
  AppendArrayHeader(&nodes, static_cast<int64_t>(told.write_to.size()));
  for (const std::string& node : told.write_to) AppendBulk(&nodes, node);
  FieldList fields;
  fields.Add("shard", parts.options.name);
  fields.AddRaw("write_to", nodes);
  fields.Add("read_from", told.read_from);
  fields.Add("why", told.why);
  Answer(request, fields.fields());
}

}  // namespace gemel
