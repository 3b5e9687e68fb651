// From a command's arguments to the shards it goes to.

#include <new>

#include "backend/command/ascii.h"
#include "backend/command/key_finder.h"
#include "backend/command/second_copy.h"
#include "backend/resp/resp_writer.h"
#include "proxy/session/gather.h"
#include "proxy/session/refusal.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr size_t kHandOver = ChunkPool::kStandard;

// The name and the arguments behind the keys' shards stay; of the keys (each `step` arguments)
// those of one shard.
struct SplitPart {
  uint32_t shard;
  std::vector<std::string_view> args;
  std::vector<uint32_t> places;
};

// What a browser sends that a web page has told to talk to us (CVE-2016-10517): the first word of
// its request, or of the header that comes before all that the page may choose. As Redis does it, a
// NUL ends the word.
bool IsBrowsers(std::string_view word) {
  constexpr std::string_view kHeader = "host:";
  return EqualsLower(word.substr(0, word.find('\0')), "post") ||
         EqualsLower(word.substr(0, kHeader.size()), kHeader);
}

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

bool Session::Handle(std::string_view frame) {
  SessionContext& context = *context_;
  ++commands_;
  context.stats->commands.Add(1);
  const CommandRow* row = context.memo.Find(context.pool->table(), context.args);
  if (row == nullptr) [[unlikely]] {
    if (IsBrowsers(context.args[0])) {
      CutOff();
      return true;
    }
    ReplyError(context.pool->table().NotFoundError(context.args));
    return true;
  }
  last_command_ = row;
  if (!ArityFits(*row, context.args.size())) [[unlikely]] {
    ReplyError(ArityError(*row));
    return true;
  }
  if (!authenticated_ && !MayGoOn(*row)) [[unlikely]]
    return true;
  // The short way: one key, and nothing depends on the arguments.
  if (row->split == Split::kOneShard && row->HasOneKey() && row->arg_rule == ArgRule::kNone) {
    const uint32_t shard = context.pool->ShardOf(context.args[1]);
    if (row->second_copy == SecondCopy::kNone) {
      SendOne(*row, shard, /*write=*/false, frame, ReadFence::MarkOf(context.args[1]));
    } else if (!fence_.empty() && fence_.Blocks(ReadFence::MarkOf(context.args[1]))) [[unlikely]] {
      return NotYet();
    } else if (MayWrite(*row, row->second_copy, shard)) {
      SendOne(*row, shard, /*write=*/true, frame, 0);
    }
    return true;
  }
  return Plan(*row, frame);
}

bool Session::NotYet() {
  --commands_;
  context_->stats->commands.Sub(1);
  return false;
}

// The marks of the keys that FindKeys has found. For a write: does the fence stop it?
bool Session::StopsAtFence(bool write, bool names_all) {
  SessionContext& context = *context_;
  context.marks.clear();
  if (context.keys.empty() || context.keys.size() > ReadFence::kMostKeys || !names_all) {
    context.marks.push_back(ReadFence::kAnyKey);
  } else {
    for (const uint32_t key : context.keys) {
      context.marks.push_back(ReadFence::MarkOf(context.args[key]));
    }
  }
  if (!write) return false;
  bool stops = false;
  for (const ReadFence::Mark mark : context.marks) stops = stops || fence_.Blocks(mark);
  context.marks.clear();
  return stops;
}

bool Session::MayWrite(const CommandRow& row, SecondCopy second, uint32_t shard) {
  if (RefusedAsWrite(*context_->pool, second, shard)) {
    ReplyError("ERR " + std::string(row.refusal));
    return false;
  }
  return true;
}

void Session::SendOne(const CommandRow& row, uint32_t shard, bool write, std::string_view frame,
                      ReadFence::Mark key) {
  Request* request = Reserve(&row, key);
  request->shard = static_cast<uint16_t>(shard);
  request->kind = write ? RequestKind::kWrite : RequestKind::kRead;
  request->primary_only = (row.flags & kCmdPrimaryOnly) != 0;
  request->frame = frame;
  if (frame.size() >= kHandOver && !TakeFrame(request)) [[unlikely]]
    return;
  last_shard_ = shard;
  context_->dispatcher->Submit(request);
}

bool Session::TakeFrame(Request* request) {
  const std::string_view frame = request->frame;
  if (direct_ && frame.size() == input_.size() && frame.data() == input_.data()) {
    request->Extra().owned = std::move(input_);
  } else if (!TryOwn(request)) {
    AnswerNoMemory(request);
    return false;
  }
  return true;
}

// One shard of several that a command went to: a congested one counts.
void Session::NoteShard(uint32_t shard) {
  if (last_shard_ == kNoShard || !context_->dispatcher->Congested(last_shard_, pending_)) {
    last_shard_ = shard;
  }
}

bool Session::Plan(const CommandRow& row, std::string_view frame) {
  SessionContext& context = *context_;
  const Pool& pool = *context.pool;
  const std::vector<std::string_view>& args = context.args;
  if (row.split == Split::kLocal) {
    context.local->Run(*this, row, args);
    return true;
  }
  if (const std::string_view refusal = RefusalFor(row, args); !refusal.empty()) {
    ReplyError("ERR " + std::string(refusal));
    return true;
  }
  if (!FindKeys(row, args, &context.keys)) {
    ReplyError(MalformedKeysError(row, args));
    return true;
  }
  const uint32_t shards = static_cast<uint32_t>(pool.shards().size());
  const bool names_all = !ReadsUnnamedKeys(row, args);
  if (shards > 1 && !names_all) {
    ReplyError("ERR " + std::string(kUnnamedKeysRefusal));
    return true;
  }
  const SecondCopy second = SecondCopyFor(row, args);
  const bool write = second != SecondCopy::kNone;
  if (StopsAtFence(write, names_all)) return NotYet();
  const RequestKind kind = write ? RequestKind::kWrite : RequestKind::kRead;
  const Merge merge = row.merge;
  const uint32_t random = static_cast<uint32_t>(commands_ * 0x9e3779b97f4a7c15ull >> 40);
  auto finish = [merge, random](const std::vector<PartReply>& parts, std::string* out) {
    MergeReplies(merge, parts, random, out);
  };

  switch (row.split) {
    case Split::kOneShard:
    case Split::kEachKey: {
      const uint32_t first =
          context.keys.empty() ? pool.shards()[0].slot : pool.ShardOf(args[context.keys[0]]);
      bool one = true;
      for (uint32_t key : context.keys) one = one && pool.ShardOf(args[key]) == first;
      if (one) {
        if (!write || MayWrite(row, second, first)) SendOne(row, first, write, frame, 0);
        return true;
      }
      if (row.split == Split::kOneShard) {
        ReplyError(kCrossSlot);
        return true;
      }
      const uint32_t step = static_cast<uint32_t>(row.key_step);
      std::vector<SplitPart> parts;
      std::vector<int32_t> part_of(pool.slot_count(), -1);
      for (uint32_t i = 0; i < context.keys.size(); ++i) {
        const uint32_t shard = pool.ShardOf(args[context.keys[i]]);
        if (part_of[shard] < 0) {
          part_of[shard] = static_cast<int32_t>(parts.size());
          parts.push_back({shard, {args[0]}, {}});
        }
        SplitPart& part = parts[static_cast<uint32_t>(part_of[shard])];
        for (uint32_t j = 0; j < step; ++j) part.args.push_back(args[context.keys[i] + j]);
        part.places.push_back(i);
      }
      GatherPtr gather = Gather::Make(context.dispatcher, Reserve(&row), finish);
      gather->Reserve(parts.size());
      for (SplitPart& part : parts) {
        context.text.clear();
        AppendCommand(&context.text, part.args);
        gather->AddShard(part.shard, kind, &row, context.text, std::move(part.places));
      }
      Gather::Launch(std::move(gather));
      for (const SplitPart& part : parts) NoteShard(part.shard);
      return true;
    }
    case Split::kEachShard:
    case Split::kAnyShard: {
      if (shards == 1 || row.merge == Merge::kNone) {
        const uint32_t slot = pool.shards()[0].slot;
        if (!write || MayWrite(row, second, slot)) SendOne(row, slot, write, frame, 0);
        return true;
      }
      for (const PoolShard& shard : pool.shards()) {
        if (write && !MayWrite(row, second, shard.slot)) return true;
      }
      GatherPtr gather = Gather::Make(context.dispatcher, Reserve(&row), finish);
      for (const PoolShard& shard : pool.shards()) gather->AddShard(shard.slot, kind, &row, frame);
      Gather::Launch(std::move(gather));
      for (const PoolShard& shard : pool.shards()) NoteShard(shard.slot);
      return true;
    }
    case Split::kCursor: {
      uint64_t node_cursor = 0;
      uint32_t asked = 0;
      if (!DecodeCursor(args[1], &node_cursor, &asked)) {
        ReplyError("ERR invalid cursor");
        return true;
      }
      const uint32_t slot = pool.SlotFrom(asked);
      if (slot != asked) node_cursor = 0;  // that shard is gone
      if (slot == pool.slot_count()) {
        ReplyNow("*2\r\n$1\r\n0\r\n*0\r\n");
        return true;
      }
      const uint32_t after = pool.SlotFrom(slot + 1);
      const bool last = after == pool.slot_count();
      const std::string cursor = std::to_string(node_cursor);
      std::vector<std::string_view> node_args(args.begin(), args.end());
      node_args[1] = cursor;
      context.text.clear();
      AppendCommand(&context.text, node_args);
      GatherPtr gather = Gather::Make(
          context.dispatcher, Reserve(&row),
          [slot, after, last](const std::vector<PartReply>& parts, std::string* out) {
            std::vector<std::string_view> halves;
            uint64_t next = 0;
            if (!SplitArray(parts[0].reply, &halves) || halves.size() != 2 ||
                !ParseCursor(ReplyText(halves[0]), &next)) {
              out->append(parts[0].reply);
              return;
            }
            const std::string whole = next != 0 ? EncodeCursor(next, slot)
                                      : last    ? "0"
                                                : EncodeCursor(0, after);
            if (whole.empty()) {
              AppendError(out, "ERR shard '" + std::string(parts[0].shard) +
                                   "': its cursor is too large to carry the shard in it");
              return;
            }
            AppendArrayHeader(out, 2);
            AppendBulk(out, whole);
            out->append(halves[1]);
          });
      gather->AddShard(slot, kind, &row, context.text);
      Gather::Launch(std::move(gather));
      last_shard_ = slot;
      return true;
    }
    case Split::kLocal:
    case Split::kNotSupported:
      return true;  // answered above
  }
  return true;
}

}  // namespace gemel
