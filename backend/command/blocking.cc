#include "backend/command/blocking.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "backend/command/ascii.h"
#include "backend/command/block.h"
#include "backend/command/stream_args.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

using Args = std::span<const std::string_view>;

// BLPOP and its like name several keys, and what pops at once one. BLMOVE's and BRPOPLPUSH's keys
// are not to choose from.
bool ChoosesOfKeys(const CommandRow& row) {
  return row.key_rule == KeyRule::kRange && row.last_key < 0;
}

std::string_view GroupOf(Args args) {
  for (size_t i = 1; i + 1 < args.size(); ++i) {
    if (EqualsLower(args[i], "group")) return args[i + 1];
  }
  return {};
}

// As strtold reads it, the whole argument and no space before.
bool ParseSeconds(std::string_view text, long double* seconds) {
  const std::string whole(text);
  if (whole.empty() || std::isspace(static_cast<unsigned char>(whole[0]))) return false;
  char* end = nullptr;
  errno = 0;
  *seconds = std::strtold(whole.c_str(), &end);
  return end == whole.c_str() + whole.size() && !std::isnan(*seconds) && errno != ERANGE;
}

}  // namespace

bool MayWait(const CommandRow& row, Args args) {
  if (row.blocking != Blocking::kOption) return row.blocking != Blocking::kNone;
  return ReadXreadgroupArgs(args).block != 0;
}

bool ReadTimeoutMs(std::string_view text, uint64_t* timeout_ms, std::string* error) {
  int64_t ms = 0;
  if (!ParseInteger(text, &ms)) {
    *error = "ERR timeout is not an integer or out of range";
    return false;
  }
  if (ms < 0) *error = "ERR timeout is negative";
  *timeout_ms = static_cast<uint64_t>(ms);
  return ms >= 0;
}

bool ReadBlockingTimeout(const CommandRow& row, Args args, uint64_t* timeout_ms,
                         std::string* error) {
  if (row.blocking == Blocking::kOption) {
    const size_t block = ReadXreadgroupArgs(args).block;
    return ReadTimeoutMs(block + 1 < args.size() ? args[block + 1] : "", timeout_ms, error);
  }
  const std::string_view text = row.blocking == Blocking::kTimeoutFirst ? args[1] : args.back();
  long double seconds = 0;
  if (!ParseSeconds(text, &seconds)) {
    *error = "ERR timeout is not a float or out of range";
    return false;
  }
  // What is too long counts as negative there, too.
  const long double ms = std::ceil(seconds * 1000);
  if (ms < 0 || ms >= static_cast<long double>(std::numeric_limits<int64_t>::max())) {
    *error = "ERR timeout is negative";
    return false;
  }
  *timeout_ms = static_cast<uint64_t>(ms);
  return true;
}

size_t KeysWaitedFor(const CommandRow& row, size_t keys) {
  return row.blocking == Blocking::kTimeoutLast && !ChoosesOfKeys(row) ? 1 : keys;
}

AtOnce AskAtOnce(const CommandRow& row, Args args, std::string_view key) {
  AtOnce ask;
  std::vector<std::string_view> words = {row.at_once};
  if (row.blocking == Blocking::kOption) {
    words.assign(args.begin(), args.end());
    const auto block = static_cast<ptrdiff_t>(ReadXreadgroupArgs(args).block);
    words.erase(words.begin() + block, words.begin() + block + 2);
  } else if (row.blocking == Blocking::kTimeoutFirst) {
    words.insert(words.end(), args.begin() + 2, args.end());
  } else if (!ChoosesOfKeys(row)) {
    words.insert(words.end(), args.begin() + 1, args.end() - 1);
  } else {
    if (key.empty() && args.size() == 3) key = args[1];
    if (key.empty()) {
      // Within a transaction it does not wait.
      ask.frame.append(kMultiFrame).append(CommandFrame({args.begin(), args.end()}));
      ask.frame.append(kExecFrame);
      ask.block = true;
      return ask;
    }
    words.push_back(key);
    ask.of_key = key;
  }
  ask.frame = CommandFrame(words);
  return ask;
}

std::string AskLastIds(const CommandRow& row, Args args) {
  if (row.blocking != Blocking::kOption || row.IsWrite()) return {};
  const XreadgroupArgs read = ReadXreadgroupArgs(args);
  std::string frame;
  for (size_t i = 0; i < read.streams; ++i) {
    if (args[read.first_key + read.streams + i] != "$") continue;
    if (frame.empty()) frame = kMultiFrame;
    frame += CommandFrame({"XINFO", "STREAM", args[read.first_key + i]});
  }
  if (!frame.empty()) frame += kExecFrame;
  return frame;
}

bool PutLastIds(const CommandRow&, Args args, std::string_view reply, std::string* command) {
  std::vector<std::string_view> answers;
  if (reply[0] == '-' || !SplitArray(reply, &answers)) {
    command->assign(reply);
    return false;
  }
  const XreadgroupArgs read = ReadXreadgroupArgs(args);
  std::vector<std::string_view> words(args.begin(), args.end());
  size_t next = 0;
  for (size_t i = 0; i < read.streams && next < answers.size(); ++i) {
    std::string_view& id = words[read.first_key + read.streams + i];
    if (id != "$") continue;
    const std::string_view answer = answers[next++];
    id = "0-0";
    std::vector<std::string_view> fields;
    if (answer[0] == '-') {
      if (answer.starts_with("-ERR no such key")) continue;
      command->assign(answer);
      return false;
    }
    SplitArray(answer, &fields);
    for (size_t field = 0; field + 1 < fields.size(); field += 2) {
      if (ReplyText(fields[field]) == "last-generated-id") id = ReplyText(fields[field + 1]);
    }
  }
  *command = CommandFrame(words);
  return true;
}

std::string AskTypes(Args args) {
  std::string frame(kMultiFrame);
  for (const std::string_view key : {args[1], args[2]}) frame += CommandFrame({"TYPE", key});
  return frame.append(kExecFrame);
}

bool DestinationWasWrong(std::string_view reply) {
  std::vector<std::string_view> types;
  if (!SplitArray(reply, &types) || types.size() != 2) return false;
  const std::string_view source = ReplyText(types[0]);
  const std::string_view destination = ReplyText(types[1]);
  return source == "list" || (source == "none" && destination != "none" && destination != "list");
}

bool WaitAlike(const CommandRow& row, Args a, Args b) {
  if (ChoosesOfKeys(row)) return true;
  if (row.blocking == Blocking::kOption) {
    return row.IsWrite() && GroupOf(a) == GroupOf(b);
  }
  const size_t begin = row.blocking == Blocking::kTimeoutFirst ? 2 : 1;
  const size_t rest = row.blocking == Blocking::kTimeoutFirst ? 0 : 1;
  const Args of_a = a.subspan(begin, a.size() - begin - rest);
  const Args of_b = b.subspan(begin, b.size() - begin - rest);
  return std::equal(of_a.begin(), of_a.end(), of_b.begin(), of_b.end());
}

std::string ReadAtOnce(const AtOnce& asked, std::string_view reply) {
  std::vector<std::string_view> elements;
  if (asked.block && reply[0] != '-') {
    if (!SplitArray(reply, &elements) || elements.size() != 1) return {};
    reply = elements[0];
  }
  if (reply[0] == '-') return std::string(reply);
  if (IsNullReply(reply) || reply.starts_with("*0\r\n")) return {};
  if (asked.of_key.empty()) return std::string(reply);
  if (!SplitArray(reply, &elements)) elements.assign(1, reply);
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(1 + elements.size()));
  AppendBulk(&out, asked.of_key);
  for (const std::string_view element : elements) out.append(element);
  return out;
}

std::string PutBack(const CommandRow& row, Args args, std::string_view reply) {
  std::vector<std::string_view> parts;
  if (row.put_back.empty() || !SplitArray(reply, &parts) || parts.size() < 2) return {};
  std::vector<std::string_view> words = {row.put_back, ReplyText(parts[0])};
  const bool sorted_set = words[0] == "zadd";
  std::vector<std::string_view> taken(parts.begin() + 1, parts.end());
  if (row.blocking == Blocking::kTimeoutFirst) {
    std::vector<std::string_view> inner;
    SplitArray(parts[1], &inner);
    taken.clear();
    for (const std::string_view each : inner) {
      std::vector<std::string_view> pair;
      if (each[0] == '*' && SplitArray(each, &pair)) {
        taken.insert(taken.end(), pair.begin(), pair.end());
      } else {
        taken.push_back(each);
      }
    }
    // From which end it took them, an argument says.
    if (!sorted_set) {
      for (const std::string_view arg : args.subspan(2)) {
        if (EqualsLower(arg, "right")) words[0] = "rpush";
      }
    }
  }
  if (sorted_set) {
    for (size_t i = 0; i + 1 < taken.size(); i += 2) {
      words.push_back(ReplyText(taken[i + 1]));
      words.push_back(ReplyText(taken[i]));
    }
  } else {
    for (auto each = taken.rbegin(); each != taken.rend(); ++each) {
      words.push_back(ReplyText(*each));
    }
  }
  return CommandFrame(words);
}

}  // namespace gemel
