#include "proxy/session/plan_runner.h"

#include <new>
#include <optional>
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
  for (const ReadFence::Mark mark : context.marks) stops = stops || replies_->stops().Blocks(mark);
  context.marks.clear();
  return stops;
}

void PlanRunner::Send(const Plan& plan, uint32_t random) {
  switch (plan.kind) {
    case Plan::Kind::kOneShard:
      return SendOne(plan.shard, plan.request, 0, plan.by_cursor);
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

Request* PlanRunner::ReserveNoted() {
  Request* place = replies_->Reserve(&row_);
  replies_->account().Note(place, asked_, asked_frame_);
  return place;
}

GatherPtr PlanRunner::Gathering(uint32_t random) {
  Request* place = ReserveNoted();
  place->holds_pushes = tracks_;
  return Gather::Make(
      context_->dispatcher, place,
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
    if (remembers_) gather->TrackLast();
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
  const std::string cursor = std::to_string(plan.shard_cursor);
  std::vector<std::string_view> args(context_->args);
  args[1] = cursor;
  context_->text.clear();
  AppendCommand(&context_->text, args);
  std::optional<uint32_t> next_shard;
  if (!plan.last_shard) next_shard = plan.next_shard;
  const auto finish = [shard = plan.shard, next_shard](const std::vector<PartReply>& parts,
                                                       std::string* out) {
    AppendScanReply(parts[0], shard, next_shard, out);
  };
  GatherPtr gather = Gather::Make(context_->dispatcher, ReserveNoted(), finish);
  gather->AddShard(plan.shard, plan.request, &row_, context_->text);
  Gather::Launch(std::move(gather));
  pace_->Sent(plan.shard);
}

}  // namespace gemel
