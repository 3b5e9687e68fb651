#include "tests/sim/sim_keyspace.h"

#include <algorithm>
#include <utility>

#include "backend/resp/resp_writer.h"

namespace gemel::sim {

namespace {

constexpr const char* kNil = "$-1\r\n";
constexpr std::string_view kDumped = "dump:";

// What a MIX has made up does not count.
int64_t PlainSize(const std::string& value) {
  return static_cast<int64_t>(value.size()) - std::count(value.begin(), value.end(), '!');
}

bool Has(const Keyspace::Args& args, size_t from, std::string_view word) {
  return std::find(args.begin() + static_cast<ptrdiff_t>(std::min(from, args.size())), args.end(),
                   word) != args.end();
}

// The number behind that word.
std::optional<int64_t> Behind(const Keyspace::Args& args, size_t from, std::string_view word) {
  for (size_t i = from; i + 1 < args.size(); ++i) {
    if (args[i] == word) return std::stoll(args[i + 1]);
  }
  return std::nullopt;
}

}  // namespace

std::string Simple(std::string_view text) { return "+" + std::string(text) + "\r\n"; }
std::string Integer(int64_t value) { return ":" + std::to_string(value) + "\r\n"; }
std::string Bulk(std::string_view text) {
  std::string out;
  AppendBulk(&out, text);
  return out;
}

bool Keyspace::IsWrite(const std::string& name) {
  static const std::string kWrites[] = {
      "SET", "DEL",    "INCR",    "APPEND", "RESTORE", "COPY",      "XADD",
      "MIX", "UNLINK", "FLUSHDB", "SADD",   "PEXPIRE", "PEXPIREAT", "PERSIST",
  };
  return std::find(std::begin(kWrites), std::end(kWrites), name) != std::end(kWrites);
}

uint64_t Keyspace::UnixMs() const {
  return kEpochMs + loop_->now_us() / 1000 + static_cast<uint64_t>(ahead_ms_);
}

std::optional<std::string> Keyspace::Execute(const Args& args) {
  using Command = std::string (Keyspace::*)(const Args&);
  static const std::map<std::string, Command> kCommands = {
      {"GET", &Keyspace::Get},          {"DUMP", &Keyspace::Dump},
      {"PTTL", &Keyspace::Ttl},         {"PEXPIRETIME", &Keyspace::Ttl},
      {"EXISTS", &Keyspace::Other},     {"TOUCH", &Keyspace::Other},
      {"TYPE", &Keyspace::Other},       {"MEMORY", &Keyspace::Other},
      {"DBSIZE", &Keyspace::Other},     {"DEBUG", &Keyspace::Debug},
      {"SCAN", &Keyspace::Scan},        {"SET", &Keyspace::Set},
      {"DEL", &Keyspace::Delete},       {"UNLINK", &Keyspace::Delete},
      {"INCR", &Keyspace::Increment},   {"APPEND", &Keyspace::Append},
      {"SADD", &Keyspace::AddToSet},    {"XADD", &Keyspace::AddToStream},
      {"MIX", &Keyspace::Mix},          {"COPY", &Keyspace::Copy},
      {"RESTORE", &Keyspace::Restore},  {"PEXPIRE", &Keyspace::Expire},
      {"PEXPIREAT", &Keyspace::Expire}, {"PERSIST", &Keyspace::Persist},
      {"FLUSHDB", &Keyspace::Flush},
  };
  const auto found = kCommands.find(args[0]);
  if (found == kCommands.end()) return std::nullopt;
  return (this->*found->second)(args);
}

std::vector<Keyspace::Args> Keyspace::EffectOf(const Args& args) const {
  if (args[0] == "FLUSHDB") return {{"FLUSHDB", std::to_string(selected_)}};
  std::vector<Args> effect;
  const bool many = args[0] == "DEL" || args[0] == "UNLINK";
  const size_t first = args[0] == "COPY" ? 2 : 1;
  for (size_t i = first; i < (many ? args.size() : first + 1); ++i) {
    effect.push_back(StateOf(args[i]));
  }
  return effect;
}

Keyspace::Args Keyspace::StateOf(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return {"DEL", key};
  return {"RESTORE", key,     std::to_string(ExpiryOf(key)), std::string(kDumped) + found->second,
          "REPLACE", "ABSTTL"};
}

void Keyspace::RemoveExpired() {
  std::vector<std::string> expired;
  for (const auto& [key, at_ms] : expiries_) {
    if (IsPast(at_ms)) expired.push_back(key);
  }
  for (const std::string& key : expired) Look(key);
}

bool Keyspace::EvictOne(Loop* dice, const std::function<bool(const std::string&)>& may_go) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : values_) {
    if (may_go(key)) keys.push_back(key);
  }
  if (keys.empty()) return false;
  const std::string key = keys[dice->Random(keys.size())];
  Erase(key);
  removed_(Gone::kEvicted, key);
  return true;
}

void Keyspace::Load(Snapshot snapshot, bool all) {
  values_ = std::move(snapshot.values);
  expiries_ = std::move(snapshot.expiries);
  if (all) return;
  for (const auto& [key, at_ms] : std::map(expiries_)) {
    if (!IsPast(at_ms)) continue;
    Erase(key);
    removed_(Gone::kUnsaid, key);
  }
}

std::string* Keyspace::Look(const std::string& key) {
  const auto found = values_.find(key);
  if (found == values_.end()) return nullptr;
  if (is_replica_ || !IsPast(ExpiryOf(key))) return &found->second;
  Erase(key);
  removed_(Gone::kExpired, key);
  return nullptr;
}

std::string& Keyspace::Make(const std::string& key) {
  if (Look(key) == nullptr) expiries_.erase(key);
  return values_[key];
}

bool Keyspace::Erase(const std::string& key) {
  expiries_.erase(key);
  return values_.erase(key) > 0;
}

uint64_t Keyspace::ExpiryOf(const std::string& key) const {
  const auto found = expiries_.find(key);
  return found == expiries_.end() || !values_.contains(key) ? 0 : found->second;
}

void Keyspace::SetExpiry(const std::string& key, uint64_t at_ms) {
  if (at_ms == 0) {
    expiries_.erase(key);
  } else {
    expiries_[key] = at_ms;
  }
}

std::string Keyspace::Get(const Args& args) {
  const std::string* value = Look(args[1]);
  return value == nullptr ? kNil : Bulk(*value);
}

std::string Keyspace::Dump(const Args& args) {
  const std::string* value = Look(args[1]);
  return value == nullptr ? kNil : Bulk(std::string(kDumped) + *value);
}

std::string Keyspace::Ttl(const Args& args) {
  if (Look(args[1]) == nullptr) return Integer(-2);
  const uint64_t at_ms = ExpiryOf(args[1]);
  if (at_ms == 0) return Integer(-1);
  return Integer(static_cast<int64_t>(args[0] == "PTTL" ? at_ms - UnixMs() : at_ms));
}

// Of what is there, expired or not.
std::string Keyspace::Debug(const Args& args) {
  const auto found = values_.find(args[2]);
  const std::string digest =
      found == values_.end() ? "0" : std::to_string(std::hash<std::string>()(found->second));
  return "*1\r\n" + Simple(digest);
}

// The cursor is what a key's hash must be above, so that keys that come and go change nothing for
// the others, as Redis has it.
std::string Keyspace::Scan(const Args& args) {
  constexpr size_t kMost = 3;
  const uint64_t cursor = std::stoull(args[1]);
  std::map<uint64_t, std::string> rest;
  for (const auto& [key, value] : values_) {
    if (DatabaseOf(key) != selected_) continue;
    const uint64_t hash = 1 + (std::hash<std::string>()(key) >> 1);
    if (hash > cursor) rest[hash] = key;
  }
  std::string keys;
  size_t passed = 0;
  size_t count = 0;
  uint64_t next = 0;
  for (auto at = rest.begin(); at != rest.end() && passed < kMost; ++at, ++passed) {
    next = at->first;
    if (Look(at->second) == nullptr) continue;
    keys += Bulk(at->second);
    ++count;
  }
  if (passed == rest.size()) next = 0;
  return "*2\r\n" + Bulk(std::to_string(next)) + "*" + std::to_string(count) + "\r\n" + keys;
}

std::string Keyspace::Set(const Args& args) {
  const std::string& key = args[1];
  const bool there = Look(key) != nullptr;
  if (Has(args, 3, "NX") && there) return kNil;
  const bool keep = Has(args, 3, "KEEPTTL");
  uint64_t at_ms = there && keep ? ExpiryOf(key) : 0;
  if (const auto after_ms = Behind(args, 3, "PX")) {
    at_ms = UnixMs() + static_cast<uint64_t>(*after_ms);
  }
  if (const auto after_s = Behind(args, 3, "EX")) {
    at_ms = UnixMs() + static_cast<uint64_t>(*after_s) * 1000;
  }
  if (const auto then_ms = Behind(args, 3, "PXAT")) at_ms = static_cast<uint64_t>(*then_ms);
  values_[key] = args[2];
  SetExpiry(key, at_ms);
  return Simple("OK");
}

std::string Keyspace::Delete(const Args& args) {
  int64_t count = 0;
  for (size_t i = 1; i < args.size(); ++i) {
    if (Look(args[i]) != nullptr) count += Erase(args[i]) ? 1 : 0;
  }
  return Integer(count);
}

std::string Keyspace::Increment(const Args& args) {
  std::string& value = Make(args[1]);
  value = std::to_string((value.empty() ? 0 : std::stoll(value)) + 1);
  return Integer(std::stoll(value));
}

std::string Keyspace::Append(const Args& args) {
  std::string& value = Make(args[1]);
  value += args[2];
  return Integer(PlainSize(value));
}

// SADD of a member that is new, as those of the clients are: the reply says nothing of the rest.
std::string Keyspace::AddToSet(const Args& args) {
  Make(args[1]) += args[2];
  return Integer(1);
}

// XADD key id f token. A node makes up the length as its ID, and takes no other that is not above
// what is there.
std::string Keyspace::AddToStream(const Args& args) {
  std::string& value = Make(args[1]);
  const int64_t before = PlainSize(value);
  int64_t id = before + static_cast<int64_t>(args[4].size());
  if (args[2] != "*") {
    id = std::stoll(args[2]);
    if (id <= before)
      return "-ERR The ID specified in XADD is equal or smaller than the top item\r\n";
  }
  value += args[4];
  return Bulk(std::to_string(id) + "-0");
}

// MIX key * f token: each node makes up something of its own.
std::string Keyspace::Mix(const Args& args) {
  std::string& value = Make(args[1]);
  value += args[4];
  value.insert(value.size() - 1, loop_->Random(4), '!');
  return Integer(PlainSize(value));
}

std::string Keyspace::Copy(const Args& args) {
  const std::string* from = Look(args[1]);
  if (from == nullptr) return Integer(0);
  const std::string value = *from;
  Look(args[2]);
  values_[args[2]] = value;
  SetExpiry(args[2], ExpiryOf(args[1]));
  return Integer(1);
}

// RESTORE key expiry payload [REPLACE] [ABSTTL]. A time that is past leaves nothing there, of which
// Redis says nothing if nothing was there before.
std::string Keyspace::Restore(const Args& args) {
  const std::string& key = args[1];
  if (!args[3].starts_with(kDumped)) return "-ERR DUMP payload version or checksum are wrong\r\n";
  uint64_t at_ms = std::stoull(args[2]);
  if (at_ms != 0 && !Has(args, 4, "ABSTTL")) at_ms += UnixMs();
  const bool there = Look(key) != nullptr;
  if (!is_replica_ && at_ms != 0 && UnixMs() >= at_ms) {
    if (there) Erase(key);
    removed_(there ? Gone::kPast : Gone::kUnsaid, key);
    return Simple("OK");
  }
  values_[key] = args[3].substr(kDumped.size());
  SetExpiry(key, at_ms);
  return Simple("OK");
}

std::string Keyspace::Expire(const Args& args) {
  const std::string& key = args[1];
  if (Look(key) == nullptr) return Integer(0);
  int64_t at_ms = std::stoll(args[2]);
  if (args[0] == "PEXPIRE") at_ms += static_cast<int64_t>(UnixMs());
  if (!is_replica_ && at_ms <= static_cast<int64_t>(UnixMs())) {
    Erase(key);
    removed_(Gone::kPast, key);
  } else {
    SetExpiry(key, static_cast<uint64_t>(std::max<int64_t>(at_ms, 1)));
  }
  return Integer(1);
}

std::string Keyspace::Persist(const Args& args) {
  const bool expires = Look(args[1]) != nullptr && Expires(args[1]);
  if (expires) expiries_.erase(args[1]);
  return Integer(expires ? 1 : 0);
}

// As an effect it names the database.
std::string Keyspace::Flush(const Args& args) {
  const int database = args.size() > 1 ? std::stoi(args[1]) : selected_;
  std::erase_if(expiries_, [&](const auto& key) { return DatabaseOf(key.first) == database; });
  std::erase_if(values_, [&](const auto& key) { return DatabaseOf(key.first) == database; });
  return Simple("OK");
}

std::string Keyspace::Other(const Args& args) {
  const std::string& name = args[0];
  if (name == "DBSIZE") {
    return Integer(std::count_if(values_.begin(), values_.end(), [&](const auto& key) {
      return DatabaseOf(key.first) == selected_;
    }));
  }
  if (name == "MEMORY") return Look(args[2]) != nullptr ? Integer(100) : kNil;
  if (name == "TYPE") return Simple(Look(args[1]) != nullptr ? "string" : "none");
  int64_t count = 0;  // EXISTS, TOUCH
  for (size_t i = 1; i < args.size(); ++i) count += Look(args[i]) != nullptr ? 1 : 0;
  return Integer(count);
}

}  // namespace gemel::sim
