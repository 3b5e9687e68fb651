#include "proxy/session/plan_runner.h"

#include <new>
#include <string>
#include <vector>

#include "backend/resp/resp_writer.h"
#include "proxy/session/merge.h"

namespace gemel {

namespace {

// Large memory is taken here, where it may fail, and not on the way through the shard.
bool TryOwn(Request* request) {
  try {
    request->OwnFrame();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// The reply of one shard to a SCAN, with the shard in its cursor; behind its end, the next one.
void FinishScan(const PartReply& part, uint32_t shard, uint32_t next_shard, bool last_shard,
                std::string* out) {
  std::vector<std::string_view> halves;
  uint64_t next = 0;
  if (!SplitArray(part.reply, &halves) || halves.size() != 2 ||
      !ParseCursor(ReplyText(halves[0]), &next)) {
    out->append(part.reply);
    return;
  }
  const std::string whole = next != 0    ? EncodeCursor(next, shard)
                            : last_shard ? "0"
                                         : EncodeCursor(0, next_shard);
  if (whole.empty()) {
    AppendError(out, "ERR shard '" + std::string(part.shard) +
                         "': its cursor is too large to carry the shard in it");
    return;
  }
  AppendArrayHeader(out, 2);
  AppendBulk(out, whole);
  out->append(halves[1]);
}

}  // namespace

bool PlanRunner::TakeFrame(Request* request) {
  if (input_->HandOn(frame_, &request->Extra().owned)) return true;
  if (TryOwn(request)) return true;
  replies_->AnswerNoMemory(request);
  return false;
}

bool PlanRunner::StopsAtFence(const Plan& plan) const {
  SessionContext& context = *context_;
  context.marks.clear();
  if (plan.keys.empty() || plan.keys.size() > ReadFence::kMostKeys || !plan.names_all_keys) {
    context.marks.push_back(ReadFence::kAnyKey);
  } else {
    for (const uint32_t key : plan.keys) {
      context.marks.push_back(ReadFence::MarkOf(context.args[key]));
    }
  }
  if (!plan.write()) return false;
  bool stops = false;
  for (const ReadFence::Mark mark : context.marks) stops = stops || replies_->Blocks(mark);
  context.marks.clear();
  return stops;
}

void PlanRunner::Send(const Plan& plan, uint32_t random) {
  switch (plan.kind) {
    case Plan::Kind::kOneShard:
      return SendOne(plan.shard, plan.request, 0);
    case Plan::Kind::kByKey:
      return SendCut(plan, random);
    case Plan::Kind::kEachShard:
      return SendEach(plan, random);
    case Plan::Kind::kCursor:
      return SendCursor(plan);
    case Plan::Kind::kLocal:
    case Plan::Kind::kRefused:
    case Plan::Kind::kAnswered:
      return;  // nothing goes to a shard
  }
}

GatherPtr PlanRunner::Gathering(uint32_t random) {
  return Gather::Make(
      context_->dispatcher, replies_->Reserve(&row_),
      [merge = row_.merge, random](const std::vector<PartReply>& parts, std::string* out) {
        MergeReplies(merge, parts, random, out);
      });
}

// Each part has the name, and of each of its keys the key_step arguments that are its.
void PlanRunner::SendCut(const Plan& plan, uint32_t random) {
  const std::vector<std::string_view>& args = context_->args;
  const uint32_t step = static_cast<uint32_t>(row_.key_step);
  GatherPtr gather = Gathering(random);
  gather->Reserve(plan.parts.size());
  for (const PlanPart& part : plan.parts) {
    const auto begin = plan.places.begin() + part.begin;
    const auto end = plan.places.begin() + part.end;
    std::string& frame = context_->text;
    frame.clear();
    AppendArrayHeader(&frame, 1 + static_cast<int64_t>(part.end - part.begin) * step);
    AppendBulk(&frame, args[0]);
    for (auto place = begin; place != end; ++place) {
      const uint32_t key = plan.keys[*place];
      for (uint32_t i = 0; i < step; ++i) AppendBulk(&frame, args[key + i]);
    }
    gather->AddShard(part.shard, plan.request, &row_, frame, {begin, end});
  }
  Gather::Launch(std::move(gather));
  for (const PlanPart& part : plan.parts) {
    pace_->SentToo(*context_->dispatcher, part.shard, replies_->pending());
  }
}

void PlanRunner::SendEach(const Plan& plan, uint32_t random) {
  GatherPtr gather = Gathering(random);
  for (const PlanPart& part : plan.parts) {
    gather->AddShard(part.shard, plan.request, &row_, frame_);
  }
  Gather::Launch(std::move(gather));
  for (const PlanPart& part : plan.parts) {
    pace_->SentToo(*context_->dispatcher, part.shard, replies_->pending());
  }
}

void PlanRunner::SendCursor(const Plan& plan) {
  const std::string cursor = std::to_string(plan.node_cursor);
  std::vector<std::string_view> args(context_->args);
  args[1] = cursor;
  context_->text.clear();
  AppendCommand(&context_->text, args);
  const auto finish = [shard = plan.shard, next_shard = plan.next_shard,
                       last_shard = plan.last_shard](const std::vector<PartReply>& parts,
                                                     std::string* out) {
    FinishScan(parts[0], shard, next_shard, last_shard, out);
  };
  GatherPtr gather = Gather::Make(context_->dispatcher, replies_->Reserve(&row_), finish);
  gather->AddShard(plan.shard, plan.request, &row_, context_->text);
  Gather::Launch(std::move(gather));
  pace_->Sent(plan.shard);
}

}  // namespace gemel
