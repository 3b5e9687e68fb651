#include "backend/audit/value_digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp2_form.h"

namespace gemel {

namespace {

ValueDigest Hash(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

// Of elements `step` at a time, in any order: the sum of their hashes, and how many there are.
bool DigestUnordered(std::string_view reply, size_t step, ValueDigest* digest) {
  std::vector<std::string_view> elements;
  if (!SplitArray(reply, &elements) || elements.size() % step != 0) return false;
  *digest = {elements.size(), 0};
  for (size_t i = 0; i < elements.size(); i += step) {
    // Neighbours in the reply are neighbours in memory.
    const char* begin = elements[i].data();
    const std::string_view& last = elements[i + step - 1];
    const ValueDigest one = Hash({begin, static_cast<size_t>(last.data() + last.size() - begin)});
    digest->low += one.low;
    digest->high += one.high;
  }
  return true;
}

// The values of some names of a flat array of names and values, in the order of `names`.
bool AppendFields(std::string_view reply, const std::vector<std::string_view>& names,
                  std::string* out) {
  std::vector<std::string_view> elements;
  if (!SplitArray(reply, &elements) || elements.size() % 2 != 0) return false;
  for (std::string_view name : names) {
    for (size_t i = 0; i < elements.size(); i += 2) {
      if (ReplyText(elements[i]) == name) out->append(elements[i + 1]);
    }
    out->push_back('\n');
  }
  return true;
}

bool DigestScores(std::string_view reply, ValueDigest* digest) {
  std::vector<std::string_view> elements;
  if (!SplitArray(reply, &elements) || elements.size() % 2 != 0) return false;
  std::string text;
  for (size_t i = 0; i < elements.size(); i += 2) {
    text.append(elements[i]);
    const std::string_view score = ReplyText(elements[i + 1]);
    double value = 0;
    const auto read = std::from_chars(score.data(), score.data() + score.size(), value);
    if (read.ec != std::errc()) {
      text.append(score);
    } else {
      text.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
  }
  *digest = Hash(text);
  return true;
}

bool DigestGroups(std::string_view reply, ValueDigest* digest) {
  std::vector<std::string_view> groups;
  if (!SplitArray(reply, &groups)) return false;
  std::string text;
  for (std::string_view group : groups) {
    if (!AppendFields(group, {"name", "consumers", "pending", "last-delivered-id"}, &text)) {
      return false;
    }
  }
  *digest = Hash(text);
  return true;
}

}  // namespace

ValueKind ValueKindOf(std::string_view type) {
  if (type == "none") return ValueKind::kNone;
  if (type == "string") return ValueKind::kString;
  if (type == "list") return ValueKind::kList;
  if (type == "hash") return ValueKind::kHash;
  if (type == "set") return ValueKind::kSet;
  if (type == "zset") return ValueKind::kZset;
  if (type == "stream") return ValueKind::kStream;
  return ValueKind::kModule;
}

std::vector<ValueQuestion> ValueQuestions(ValueKind kind, ValueLook look, std::string_view name) {
  using enum ValuePart;
  const std::string key(name);
  if (kind == ValueKind::kNone) return {};
  if (look == ValueLook::kLength) {
    switch (kind) {
      case ValueKind::kString:
        return {{{"STRLEN", key}, kBytes}};
      case ValueKind::kList:
        return {{{"LLEN", key}, kBytes}};
      case ValueKind::kHash:
        return {{{"HLEN", key}, kBytes}};
      case ValueKind::kSet:
        return {{{"SCARD", key}, kBytes}};
      case ValueKind::kZset:
        return {{{"ZCARD", key}, kBytes}};
      case ValueKind::kStream:
        return {{{"XLEN", key}, kBytes}};
      default:
        return {};
    }
  }
  if (look == ValueLook::kDigest && kind != ValueKind::kStream) {
    return {{{"DEBUG", "DIGEST-VALUE", key}, kBytes}};
  }
  switch (kind) {
    case ValueKind::kString:
      return {{{"GET", key}, kBytes}};
    case ValueKind::kList:
      return {{{"LRANGE", key, "0", "-1"}, kBytes}};
    case ValueKind::kHash:
      return {{{"HGETALL", key}, kPairs}};
    case ValueKind::kSet:
      return {{{"SMEMBERS", key}, kMembers}};
    case ValueKind::kZset:
      return {{{"ZRANGE", key, "0", "-1", "WITHSCORES"}, kScores}};
    case ValueKind::kStream:
      return {{{"XRANGE", key, "-", "+"}, kBytes},
              {{"XINFO", "STREAM", key}, kStreamInfo},
              {{"XINFO", "GROUPS", key}, kGroups}};
    default:
      return {{{"DUMP", key}, kBytes}};
  }
}

ValueDigest DigestOf(ValuePart part, std::string_view reply) {
  ValueDigest digest;
  bool made = false;
  std::string text;
  // Links may speak two protocols. The elements of sets and hashes read the same in both.
  std::string in_resp2;
  const Resp2Form form = part == ValuePart::kScores ? Resp2Form::kFlatPairs : Resp2Form::kPlain;
  if (part != ValuePart::kMembers && part != ValuePart::kPairs && !ReadsSameInResp2(reply, form)) {
    AppendInResp2(reply, form, &in_resp2);
    reply = in_resp2;
  }
  switch (part) {
    case ValuePart::kBytes:
      break;
    case ValuePart::kMembers:
      made = DigestUnordered(reply, 1, &digest);
      break;
    case ValuePart::kPairs:
      made = DigestUnordered(reply, 2, &digest);
      break;
    case ValuePart::kStreamInfo:
      // Not how its tree happens to be built.
      made = AppendFields(reply, {"length", "last-generated-id", "groups"}, &text);
      if (made) digest = Hash(text);
      break;
    case ValuePart::kGroups:
      made = DigestGroups(reply, &digest);
      break;
    case ValuePart::kScores:
      made = DigestScores(reply, &digest);
      break;
  }
  return made ? digest : Hash(reply);
}

}  // namespace gemel
