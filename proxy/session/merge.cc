#include "proxy/session/merge.h"

#include <algorithm>
#include <charconv>

#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr uint64_t kSlots = 1 << 16;  // a request's slot has 16 bits

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
    default:  // kAllOk: all are
      out->append(parts[0].reply);
      return;
  }
}

std::string EncodeCursor(uint64_t node_cursor, uint32_t slot) {
  if (node_cursor > (~uint64_t{0} - slot) / kSlots) return {};
  return std::to_string(node_cursor * kSlots + slot);
}

bool DecodeCursor(std::string_view text, uint64_t* node_cursor, uint32_t* slot) {
  uint64_t value = 0;
  if (!ParseCursor(text, &value)) return false;
  *node_cursor = value / kSlots;
  *slot = static_cast<uint32_t>(value % kSlots);
  return true;
}

// As strtoul reads it, which Redis asks: nothing is 0, and less than 0 counts from the end.
bool ParseCursor(std::string_view text, uint64_t* node_cursor) {
  *node_cursor = 0;
  if (text.empty()) return true;
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *node_cursor);
  if (negative) *node_cursor = 0 - *node_cursor;
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace gemel
