#include "proxy/session/merge.h"

#include <algorithm>

#include "backend/keys/cursor.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "proxy/session/merge_stats.h"

namespace gemel {

namespace {

bool IsError(std::string_view reply) { return !reply.empty() && reply[0] == '-'; }

bool IsNull(std::string_view reply) {
  return reply.starts_with("$-1") || reply.starts_with("*-1") || reply.starts_with("_");
}

void MergeByKey(const std::vector<PartReply>& parts, std::string* out) {
  size_t count = 0;
  for (const PartReply& part : parts) count += part.places.size();
  std::vector<std::string_view> whole(count);
  std::vector<std::string> errors;
  errors.reserve(parts.size());
  for (const PartReply& part : parts) {
    std::vector<std::string_view> elements;
    if (!SplitArray(part.reply, &elements) || elements.size() != part.places.size()) {
      errors.push_back(IsError(part.reply)
                           ? NameShard(part.shard, part.reply)
                           : NameShard(part.shard, "-ERR an answer that does not fit\r\n"));
      elements.assign(part.places.size(), errors.back());
    }
    for (size_t i = 0; i < elements.size(); ++i) whole[part.places[i]] = elements[i];
  }
  AppendArrayHeader(out, static_cast<int64_t>(count));
  for (std::string_view element : whole) out->append(element);
}

void MergeSum(const std::vector<PartReply>& parts, std::string* out) {
  int64_t sum = 0;
  for (const PartReply& part : parts) {
    int64_t value = 0;
    ParseInteger(ReplyText(part.reply), &value);
    sum += value;
  }
  AppendInteger(out, sum);
}

void MergeConcat(const std::vector<PartReply>& parts, std::string* out) {
  std::vector<std::string_view> elements;
  for (const PartReply& part : parts) SplitArray(part.reply, &elements);
  AppendArrayHeader(out, static_cast<int64_t>(elements.size()));
  for (std::string_view element : elements) out->append(element);
}

void MergeFirstFull(const std::vector<PartReply>& parts, uint32_t random, std::string* out) {
  for (size_t i = 0; i < parts.size(); ++i) {
    std::string_view reply = parts[(i + random) % parts.size()].reply;
    if (!IsNull(reply)) {
      out->append(reply);
      return;
    }
  }
  out->append(parts[0].reply);
}

}  // namespace

std::string NameShard(std::string_view shard, std::string_view reply) {
  if (reply.find("shard '") != std::string_view::npos) return std::string(reply);
  const std::string_view text = ReplyText(reply);
  const size_t space = std::min(text.find(' '), text.size());
  std::string named(text.substr(0, space));
  named += " shard '";
  named += shard;
  named += "':";
  named += text.substr(space);
  std::string frame;
  AppendError(&frame, named);
  return frame;
}

void MergeReplies(Merge merge, const std::vector<PartReply>& parts, uint32_t random,
                  std::string* out) {
  if (merge == Merge::kByKey) {
    MergeByKey(parts, out);
    return;
  }
  // What all of them say is not one shard's.
  const bool same =
      parts.size() > 1 && std::all_of(parts.begin(), parts.end(), [&parts](const PartReply& part) {
        return part.reply == parts[0].reply;
      });
  for (const PartReply& part : parts) {
    if (IsError(part.reply)) {
      out->append(same ? std::string(part.reply) : NameShard(part.shard, part.reply));
      return;
    }
  }
  switch (merge) {
    case Merge::kSum:
      MergeSum(parts, out);
      return;
    case Merge::kConcat:
      MergeConcat(parts, out);
      return;
    case Merge::kFirstFull:
      MergeFirstFull(parts, random, out);
      return;
    case Merge::kTexts:
      MergeTexts(parts, out);
      return;
    case Merge::kStats:
      MergeStats(parts, out);
      return;
    case Merge::kXor:
      MergeXor(parts, out);
      return;
    default:  // kAllOk: all are
      out->append(parts[0].reply);
      return;
  }
}

std::string EncodeCursor(uint64_t cursor, uint32_t slot) {
  if (slot >= kCursorSlots || cursor > (~uint64_t{0} - slot) / kCursorSlots) return {};
  return std::to_string(cursor * kCursorSlots + slot);
}

bool DecodeCursor(std::string_view text, uint64_t* cursor, uint32_t* slot) {
  uint64_t value = 0;
  if (!ParseCursor(text, &value)) return false;
  *cursor = value / kCursorSlots;
  *slot = static_cast<uint32_t>(value % kCursorSlots);
  return true;
}

void AppendScanReply(const PartReply& part, uint32_t slot, std::optional<uint32_t> next_slot,
                     std::string* out) {
  std::vector<std::string_view> halves;
  uint64_t next = 0;
  if (!SplitArray(part.reply, &halves) || halves.size() != 2 ||
      !ParseCursor(ReplyText(halves[0]), &next)) {
    out->append(part.reply);
    return;
  }
  const std::string whole = next != 0   ? EncodeCursor(next, slot)
                            : next_slot ? EncodeCursor(0, *next_slot)
                                        : "0";
  if (whole.empty()) {
    AppendError(out, "ERR shard '" + std::string(part.shard) +
                         "': its cursor is too large to carry the shard in it");
    return;
  }
  AppendArrayHeader(out, 2);
  AppendBulk(out, whole);
  out->append(halves[1]);
}

}  // namespace gemel
