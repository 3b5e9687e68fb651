// What follows writes of streams whose outcome a node decides: IDs of its clock, trims by its
// layout, and what a consumer group delivers.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/ascii.h"
#include "backend/command/rewrite.h"
#include "backend/command/stream_args.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

using Words = std::vector<std::string_view>;

// More than anything can have been idle: XCLAIM then changes nothing but that it drops what is
// pending of entries that are gone.
constexpr std::string_view kNeverIdle = "9223372036854775807";

// The value behind a name in a reply of names and values; empty: there is none, or it is a null.
std::string_view FieldOf(std::string_view reply, std::string_view name) {
  Words parts;
  if (!SplitArray(reply, &parts)) return {};
  for (size_t i = 0; i + 1 < parts.size(); i += 2) {
    if (ReplyText(parts[i]) == name)
      return IsNullReply(parts[i + 1]) ? "" : ReplyText(parts[i + 1]);
  }
  return {};
}

// The IDs of entries, which are IDs or pairs of an ID and its fields; those without fields (the
// entry is gone) are left out. False: they are not.
bool IdsOf(std::string_view reply, Words* ids) {
  Words entries;
  if (!SplitArray(reply, &entries) || entries.size() > kMostRewritten) return false;
  for (const std::string_view entry : entries) {
    Words parts;
    if (!SplitArray(entry, &parts)) {
      if (IsNullReply(entry)) return false;
      ids->push_back(ReplyText(entry));
    } else if (parts.size() != 2) {
      return false;
    } else if (!IsNullReply(parts[1])) {
      ids->push_back(ReplyText(parts[0]));
    }
  }
  return true;
}

// As servers write it: "7" is "7-0", and so is "07-0".
std::string WholeId(std::string_view id) {
  const size_t dash = std::min(id.find('-'), id.size());
  const auto plain = [](std::string_view digits) {
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    return digits.empty() ? std::string("0") : std::string(digits);
  };
  return plain(id.substr(0, dash)) + "-" + plain(id.substr(std::min(dash + 1, id.size())));
}

std::string Claim(std::string_view key, std::string_view group, std::string_view consumer,
                  const Words& ids, const Words& options) {
  Words words = {"XCLAIM", key, group, consumer, "0"};
  words.insert(words.end(), ids.begin(), ids.end());
  words.insert(words.end(), options.begin(), options.end());
  return CommandFrame(words);
}

// The length that a copy left, asked behind the command.
bool LengthOf(const FirstReply& first, std::string_view* length) {
  if (first.answers.size() != 1 || first.answers[0][0] != ':') return false;
  *length = ReplyText(first.answers[0]);
  return true;
}

}  // namespace

void AskXadd(std::span<const std::string_view> args, std::vector<std::string>* frames) {
  if (ReadXaddArgs(args).about) frames->push_back(CommandFrame({"XLEN", args[1]}));
}

bool RewriteXadd(const FirstReply& first, std::vector<std::string>* frames) {
  if (IsNullReply(first.reply)) return true;  // NOMKSTREAM
  const XaddArgs xadd = ReadXaddArgs(first.args);
  if (first.reply[0] != '$' || xadd.id >= first.args.size()) return false;
  Words words(first.args.begin(), first.args.end());
  words[xadd.id] = ReplyText(first.reply);
  if (xadd.about) {
    std::string_view length;
    if (!LengthOf(first, &length)) return false;
    words.erase(words.begin() + 2, words.begin() + static_cast<std::ptrdiff_t>(xadd.id));
    words.insert(words.begin() + 2, {"MAXLEN", "=", length});
  }
  frames->push_back(CommandFrame(words));
  return true;
}

void AskXtrim(std::span<const std::string_view> args, std::vector<std::string>* frames) {
  frames->push_back(CommandFrame({"XLEN", args[1]}));
}

bool RewriteXtrim(const FirstReply& first, std::vector<std::string>* frames) {
  if (ReplyText(first.reply) == "0") return true;
  std::string_view length;
  if (!LengthOf(first, &length)) return false;
  frames->push_back(CommandFrame({"XTRIM", first.args[1], "MAXLEN", "=", length}));
  return true;
}

void AskXreadgroup(std::span<const std::string_view> args, std::vector<std::string>* frames) {
  const XreadgroupArgs read = ReadXreadgroupArgs(args);
  for (size_t i = 0; i < read.streams; ++i) {
    frames->push_back(CommandFrame({"XINFO", "GROUPS", args[read.first_key + i]}));
    frames->push_back(CommandFrame({"XINFO", "CONSUMERS", args[read.first_key + i], args[2]}));
  }
}

namespace {

// One of these (groups, consumers) has that name.
bool HasNamed(std::string_view all, std::string_view name) {
  Words each;
  if (!SplitArray(all, &each)) return false;
  return std::any_of(each.begin(), each.end(),
                     [&](std::string_view one) { return FieldOf(one, "name") == name; });
}

// Where the group has come to on that stream, and how many entries it has read.
std::string PlaceOf(std::string_view key, std::string_view group, std::string_view groups) {
  Words all;
  if (!SplitArray(groups, &all)) return {};
  for (const std::string_view one : all) {
    if (FieldOf(one, "name") != group) continue;
    const std::string_view last = FieldOf(one, "last-delivered-id");
    const std::string_view read = FieldOf(one, "entries-read");
    if (last.empty()) return {};
    Words words = {"XGROUP", "SETID", key, group, last};
    if (!read.empty()) words.insert(words.end(), {"ENTRIESREAD", read});
    return CommandFrame(words);
  }
  return {};
}

}  // namespace

bool RewriteXreadgroup(const FirstReply& first, std::vector<std::string>* frames) {
  const XreadgroupArgs read = ReadXreadgroupArgs(first.args);
  if (read.streams == 0 || first.answers.size() != 2 * read.streams) return false;
  const std::string_view group = first.args[2];
  const std::string_view consumer = first.args[3];
  // What was read, by stream: in RESP3 names and values in turn, else pairs of them. Not all need
  // be there.
  Words parts;
  if (!IsNullReply(first.reply)) {
    Words pairs;
    if (!SplitArray(first.reply, &pairs)) return false;
    if (first.reply[0] == '%') {
      parts = std::move(pairs);
    } else {
      for (const std::string_view pair : pairs) {
        if (!SplitArray(pair, &parts)) return false;
      }
    }
  }
  size_t at = 0;
  for (size_t i = 0; i < read.streams; ++i) {
    const std::string_view key = first.args[read.first_key + i];
    const std::string_view from = first.args[read.first_key + read.streams + i];
    const bool there = at + 1 < parts.size() && ReplyText(parts[at]) == key;
    Words ids;
    if (there && !IdsOf(parts[at + 1], &ids)) return false;
    if (there) at += 2;
    if (from != ">") {
      // Delivered once more: counted and timed by XCLAIM itself.
      if (!ids.empty()) frames->push_back(Claim(key, group, consumer, ids, {}));
    } else if (!ids.empty()) {
      if (!read.noack) {
        frames->push_back(Claim(key, group, consumer, ids, {"RETRYCOUNT", "1", "FORCE", "JUSTID"}));
      }
      std::string place = PlaceOf(key, group, first.answers[2 * i]);
      if (place.empty()) return false;
      frames->push_back(std::move(place));
    }
    // Whether reading nothing makes a consumer differs between versions.
    if ((ids.empty() || read.noack) && HasNamed(first.answers[2 * i + 1], consumer)) {
      frames->push_back(CommandFrame({"XGROUP", "CREATECONSUMER", key, group, consumer}));
    }
  }
  return at == parts.size();
}

bool RewriteXclaim(const FirstReply& first, std::vector<std::string>* frames) {
  Words claimed;
  if (!IdsOf(first.reply, &claimed)) return false;
  const size_t options = EndOfIds(first.args, 5);
  Words words(first.args.begin(), first.args.begin() + 4);
  words.push_back("0");
  Words rest = words;
  rest[4] = kNeverIdle;
  // An ID may be there twice: the second time it is claimed only if it needs not be idle.
  for (size_t i = 5; i < options; ++i) {
    const auto at = std::find(claimed.begin(), claimed.end(), WholeId(first.args[i]));
    (at != claimed.end() ? words : rest).push_back(first.args[i]);
    if (at != claimed.end()) claimed.erase(at);
  }
  if (!claimed.empty()) return false;
  const bool claims = words.size() > 5;
  const bool leaves = rest.size() > 5;
  words.insert(words.end(), first.args.begin() + static_cast<std::ptrdiff_t>(options),
               first.args.end());
  if (claims) frames->push_back(CommandFrame(words));
  if (!leaves) return true;
  rest.push_back("JUSTID");
  // Whoever claims nothing may have moved the group on all the same.
  for (size_t i = options; i + 1 < first.args.size(); ++i) {
    if (EqualsLower(first.args[i], "lastid"))
      rest.insert(rest.end(), {"LASTID", first.args[i + 1]});
  }
  frames->push_back(CommandFrame(rest));
  return true;
}

bool RewriteXautoclaim(const FirstReply& first, std::vector<std::string>* frames) {
  Words parts;
  if (!SplitArray(first.reply, &parts)) return false;
  // Servers before 7.0 say nothing of entries that are gone.
  Words claimed;
  Words gone;
  if (parts.size() != 3 || !IdsOf(parts[1], &claimed) || !IdsOf(parts[2], &gone)) return false;
  const std::string_view key = first.args[1];
  const std::string_view group = first.args[2];
  bool only_ids = false;
  for (size_t i = 6; i < first.args.size(); ++i) only_ids |= EqualsLower(first.args[i], "justid");
  if (!claimed.empty()) {
    frames->push_back(
        Claim(key, group, first.args[3], claimed, only_ids ? Words{"JUSTID"} : Words{}));
  }
  if (!gone.empty()) {
    Words words = {"XACK", key, group};
    words.insert(words.end(), gone.begin(), gone.end());
    frames->push_back(CommandFrame(words));
  }
  return true;
}

}  // namespace gemel
