#include "backend/shard/key_rebuild.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// What a piece should take, and at most so many elements of it.
constexpr int64_t kPieceBytes = 1 << 20;
constexpr int64_t kMaxCount = 1024;
constexpr int64_t kFirstCount = 64;

std::string Number(int64_t number) { return std::to_string(number); }

int64_t ReplyNumber(std::string_view reply) {
  int64_t number = -1;
  return ParseInteger(ReplyText(reply), &number) ? number : -1;
}

// The value of `name` in a flat array of names and values; empty if there is none.
std::string_view FieldOf(const std::vector<std::string_view>& parts, std::string_view name) {
  for (size_t i = 0; i + 1 < parts.size(); i += 2) {
    if (ReplyText(parts[i]) == name) return parts[i + 1];
  }
  return {};
}

// The first ID after this one.
std::string IdAfter(std::string_view id) {
  const size_t dash = std::min(id.find('-'), id.size());
  const std::string_view tail = dash < id.size() ? id.substr(dash + 1) : std::string_view();
  uint64_t number = 0;
  std::from_chars(tail.data(), tail.data() + tail.size(), number);
  if (number != ~uint64_t{0})
    return std::string(id.substr(0, dash)) + "-" + std::to_string(number + 1);
  std::from_chars(id.data(), id.data() + dash, number);
  return std::to_string(number + 1) + "-0";
}

std::string FrameOf(std::string_view name, std::string_view key,
                    const std::vector<std::string_view>& args) {
  std::vector<std::string_view> all = {name, key};
  all.insert(all.end(), args.begin(), args.end());
  return CommandFrame(all);
}

std::string SubcommandOf(std::string_view name, std::string_view sub, std::string_view key,
                         const std::vector<std::string_view>& args) {
  std::vector<std::string_view> all = {name, sub, key};
  all.insert(all.end(), args.begin(), args.end());
  return CommandFrame(all);
}

}  // namespace

KeyRebuild::KeyRebuild(std::string key, Options options)
    : key_(std::move(key)), options_(options), count_(kFirstCount) {
  Read("TYPE");
  frames_ = std::exchange(reads_, {});
}

void KeyRebuild::Read(std::string_view name, std::vector<std::string_view> args) {
  reads_.push_back(FrameOf(name, key_, args));
}

void KeyRebuild::Write(std::string_view name, std::vector<std::string_view> args) {
  writes_.push_back(FrameOf(name, key_, args));
}

void KeyRebuild::Fail(std::string why) {
  next_ = Next::kFailed;
  why_ = std::move(why);
  frames_.clear();
}

// `count`: what it must have; 0: any number.
bool KeyRebuild::Split(std::string_view reply, std::vector<std::string_view>* parts, size_t count) {
  if (SplitArray(reply, parts) && (count == 0 || parts->size() == count)) return true;
  Fail("an odd reply came");
  return false;
}

// What was gathered goes out: first to the copies, then to the source.
void KeyRebuild::Send() {
  if (next_ == Next::kFailed) return;
  if (!writes_.empty()) {
    next_ = Next::kWrite;
    frames_ = std::exchange(writes_, {});
  } else if (!reads_.empty()) {
    next_ = Next::kRead;
    frames_ = std::exchange(reads_, {});
  } else {
    next_ = Next::kDone;
    frames_.clear();
  }
}

void KeyRebuild::OnWritten() { Send(); }

// Of a key that was locked all the time nothing but its expiry can change.
void KeyRebuild::OnRead(const std::vector<std::string>& replies) {
  for (const std::string& reply : replies) {
    if (reply[0] != '-') continue;
    if (type_ == Type::kStream && reply.starts_with("-ERR no such key")) {
      writes_.clear();
      Write("DEL", {});
      Send();
    } else {
      Fail(std::string(ReplyText(reply)));
    }
    return;
  }
  switch (stage_) {
    case Stage::kType:
      OnType(replies);
      break;
    case Stage::kPieces:
      OnPiece(replies);
      break;
    case Stage::kFieldExpiry:
      OnFieldExpiry(replies);
      break;
    case Stage::kEntries:
      OnEntries(replies);
      break;
    case Stage::kGroups:
      OnGroups(replies);
      break;
    case Stage::kConsumers:
      OnConsumers(replies);
      break;
    case Stage::kPending:
      OnPending(replies);
      break;
  }
  Send();
}

void KeyRebuild::OnType(const std::vector<std::string>& replies) {
  struct Known {
    std::string_view name;
    Type type;
    std::string_view length;  // the command that tells it
  };
  static constexpr Known kKnown[] = {
      {"string", Type::kString, "STRLEN"}, {"list", Type::kList, "LLEN"},
      {"set", Type::kSet, "SCARD"},        {"hash", Type::kHash, "HLEN"},
      {"zset", Type::kSortedSet, "ZCARD"}, {"stream", Type::kStream, "XLEN"},
  };
  const std::string_view type = ReplyText(replies[0]);
  Write("DEL", {});
  if (type == "none") return;
  for (const Known& known : kKnown) {
    if (known.name != type) continue;
    type_ = known.type;
    if (type_ == Type::kStream) {
      stage_ = Stage::kEntries;
      from_ = "-";
    } else {
      stage_ = Stage::kPieces;
    }
    // The first piece is read with the number of them all.
    Read(known.length);
    AskPiece();
    return;
  }
  Fail("it is of the type '" + std::string(type) +
       "', which only DUMP can copy, and the copy, of an older version, cannot read that");
}

// Every piece comes with the time of expiry: the last one's counts.
void KeyRebuild::AskPiece() {
  const std::string first = Number(at_);
  const std::string count = Number(count_);
  switch (type_) {
    case Type::kString:
      Read("GETRANGE", {first, Number(at_ + kPieceBytes - 1)});
      break;
    case Type::kList:
      Read("LRANGE", {first, Number(at_ + count_ - 1)});
      break;
    case Type::kSet:
      Read("SSCAN", {cursor_, "COUNT", count});
      break;
    case Type::kHash:
      Read("HSCAN", {cursor_, "COUNT", count});
      break;
    case Type::kSortedSet:
      Read("ZSCAN", {cursor_, "COUNT", count});
      break;
    case Type::kStream:
      Read("XRANGE", {from_, "+", "COUNT", count});
      break;
  }
  Read(options_.relative ? "PTTL" : "PEXPIRETIME");
}

void KeyRebuild::NextPiece(bool more) {
  if (more) {
    AskPiece();
  } else {
    Finish();
  }
}

bool KeyRebuild::TakeExpiry(const std::vector<std::string>& replies) {
  expiry_ms_ = ReplyNumber(replies.back());
  if (expiry_ms_ != -2) return true;
  // Gone by now.
  writes_.clear();
  Write("DEL", {});
  return false;
}

// So many elements that a piece takes about what it should.
void KeyRebuild::Adapt(size_t bytes) {
  const int64_t size = static_cast<int64_t>(bytes);
  if (size < kPieceBytes / 4) {
    count_ = std::min(count_ * 2, kMaxCount);
  } else if (size > kPieceBytes) {
    count_ = std::max<int64_t>(count_ / 2, 1);
  }
}

void KeyRebuild::OnPiece(const std::vector<std::string>& replies) {
  if (replies.size() > 2) {
    length_ = ReplyNumber(replies[0]);
    if (length_ > 0 && options_.memory > 0) {
      count_ = std::clamp<int64_t>(kPieceBytes / (options_.memory / length_ + 1), 1, kMaxCount);
    }
  }
  if (!TakeExpiry(replies)) return;
  const std::string_view piece = replies[replies.size() - 2];
  if (type_ == Type::kString) {
    OnString(piece);
    return;
  }
  std::vector<std::string_view> parts;
  std::vector<std::string_view> members;
  if (type_ == Type::kList) {
    if (!Split(piece, &members)) return;
    at_ += static_cast<int64_t>(members.size());
  } else {
    if (!Split(piece, &parts, 2) || !Split(parts[1], &members)) return;
    cursor_ = ReplyText(parts[0]);
  }
  Adapt(piece.size());
  OnMembers(members);
}

void KeyRebuild::OnString(std::string_view reply) {
  const std::string_view piece = ReplyText(reply);
  Write(at_ == 0 ? "SET" : "APPEND", {piece});
  at_ += static_cast<int64_t>(piece.size());
  NextPiece(at_ < length_ && !piece.empty());
}

void KeyRebuild::OnMembers(const std::vector<std::string_view>& members) {
  std::vector<std::string_view> args;
  std::vector<std::string_view> fields = {"FIELDS", ""};
  for (std::string_view member : members) args.push_back(ReplyText(member));
  if (type_ == Type::kSortedSet) {
    for (size_t i = 0; i + 1 < args.size(); i += 2) std::swap(args[i], args[i + 1]);
  }
  static constexpr std::string_view kAdd[] = {"", "RPUSH", "SADD", "HSET", "ZADD"};
  if (!args.empty()) Write(kAdd[static_cast<size_t>(type_)], args);
  if (type_ == Type::kHash && options_.field_expiry && !args.empty()) {
    const std::string count = Number(static_cast<int64_t>(args.size() / 2));
    fields[1] = count;
    for (size_t i = 0; i < args.size(); i += 2) fields.push_back(args[i]);
    Read("HPTTL", fields);
    stage_ = Stage::kFieldExpiry;
    return;
  }
  NextPiece(type_ == Type::kList ? at_ < length_ && !members.empty() : cursor_ != "0");
}

void KeyRebuild::OnFieldExpiry(const std::vector<std::string>& replies) {
  std::vector<std::string_view> times;
  if (!Split(replies[0], &times)) return;
  for (std::string_view time : times) {
    if (ReplyNumber(time) < 0) continue;
    Fail("its fields expire one by one, which the copy, of an older version, does not know");
    return;
  }
  stage_ = Stage::kPieces;
  NextPiece(cursor_ != "0");
}

void KeyRebuild::OnEntries(const std::vector<std::string>& replies) {
  if (!TakeExpiry(replies)) return;
  std::vector<std::string_view> entries;
  if (!Split(replies[replies.size() - 2], &entries)) return;
  for (std::string_view entry : entries) {
    std::vector<std::string_view> parts;
    std::vector<std::string_view> fields;
    if (!SplitArray(entry, &parts) || parts.size() != 2 || !SplitArray(parts[1], &fields)) continue;
    std::vector<std::string_view> args = {ReplyText(parts[0])};
    for (std::string_view field : fields) args.push_back(ReplyText(field));
    Write("XADD", args);
    from_ = IdAfter(args[0]);
  }
  const bool more = static_cast<int64_t>(entries.size()) >= count_;
  Adapt(replies[replies.size() - 2].size());
  if (more) {
    AskPiece();
    return;
  }
  if (from_ == "-") {
    // Without entries, a stream comes to be by a group alone.
    writes_.push_back(SubcommandOf("XGROUP", "CREATE", key_, {"gemel", "0", "MKSTREAM"}));
    writes_.push_back(SubcommandOf("XGROUP", "DESTROY", key_, {"gemel"}));
  }
  stage_ = Stage::kGroups;
  reads_.push_back(SubcommandOf("XINFO", "STREAM", key_, {}));
  reads_.push_back(SubcommandOf("XINFO", "GROUPS", key_, {}));
}

void KeyRebuild::EndEntries(std::string_view info) {
  std::vector<std::string_view> parts;
  if (!SplitArray(info, &parts)) return;
  const std::string last(ReplyText(FieldOf(parts, "last-generated-id")));
  std::vector<std::string_view> args = {last};
  const std::string_view added = FieldOf(parts, "entries-added");
  const std::string_view deleted = FieldOf(parts, "max-deleted-entry-id");
  if (!options_.plain_streams && !added.empty() && !deleted.empty()) {
    args.insert(args.end(), {"ENTRIESADDED", ReplyText(added), "MAXDELETEDID", ReplyText(deleted)});
  }
  Write("XSETID", args);
}

void KeyRebuild::OnGroups(const std::vector<std::string>& replies) {
  EndEntries(replies[0]);
  std::vector<std::string_view> groups;
  if (!Split(replies[1], &groups)) return;
  for (std::string_view group : groups) {
    std::vector<std::string_view> parts;
    if (!SplitArray(group, &parts)) continue;
    Group& seen = groups_.emplace_back();
    seen.name = ReplyText(FieldOf(parts, "name"));
    seen.pending = ReplyNumber(FieldOf(parts, "pending"));
    std::vector<std::string_view> args = {seen.name,
                                          ReplyText(FieldOf(parts, "last-delivered-id"))};
    const std::string_view read = ReplyText(FieldOf(parts, "entries-read"));
    if (!read.empty() && !options_.plain_streams) args.insert(args.end(), {"ENTRIESREAD", read});
    writes_.push_back(SubcommandOf("XGROUP", "CREATE", key_, args));
  }
  BeginGroup();
}

void KeyRebuild::BeginGroup() {
  if (group_ >= groups_.size()) {
    Finish();
    return;
  }
  stage_ = Stage::kConsumers;
  reads_.push_back(SubcommandOf("XINFO", "CONSUMERS", key_, {groups_[group_].name}));
}

void KeyRebuild::EndGroup() {
  ++group_;
  BeginGroup();
}

void KeyRebuild::OnConsumers(const std::vector<std::string>& replies) {
  std::vector<std::string_view> consumers;
  SplitArray(replies[0], &consumers);
  for (std::string_view consumer : consumers) {
    std::vector<std::string_view> parts;
    if (!SplitArray(consumer, &parts)) continue;
    writes_.push_back(SubcommandOf("XGROUP", "CREATECONSUMER", key_,
                                   {groups_[group_].name, ReplyText(FieldOf(parts, "name"))}));
  }
  if (groups_[group_].pending > 0) {
    from_ = "-";
    count_ = kMaxCount;
    stage_ = Stage::kPending;
    AskPending();
  } else {
    EndGroup();
  }
}

void KeyRebuild::AskPending() {
  Read("XPENDING", {groups_[group_].name, from_, "+", Number(count_)});
  reads_.push_back(CommandFrame({"TIME"}));
}

void KeyRebuild::OnPending(const std::vector<std::string>& replies) {
  std::vector<std::string_view> pending;
  std::vector<std::string_view> time;
  if (!Split(replies[0], &pending) || !Split(replies[1], &time, 2)) return;
  const int64_t now_ms = ReplyNumber(time[0]) * 1000 + ReplyNumber(time[1]) / 1000;
  for (std::string_view entry : pending) {
    std::vector<std::string_view> parts;
    if (!SplitArray(entry, &parts) || parts.size() != 4) continue;
    const std::string delivered = Number(now_ms - ReplyNumber(parts[2]));
    const std::string times = Number(ReplyNumber(parts[3]));
    Write("XCLAIM", {groups_[group_].name, ReplyText(parts[1]), "0", ReplyText(parts[0]), "TIME",
                     delivered, "RETRYCOUNT", times, "FORCE", "JUSTID"});
    from_ = IdAfter(ReplyText(parts[0]));
  }
  if (static_cast<int64_t>(pending.size()) >= count_) {
    AskPending();
  } else {
    EndGroup();
  }
}

void KeyRebuild::Finish() {
  if (expiry_ms_ < 0) return;
  Write(options_.relative ? "PEXPIRE" : "PEXPIREAT", {Number(expiry_ms_)});
}

}  // namespace gemel
