#include "tests/sim/sim_key_commands.h"

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

bool Has(const KeyCommands::Args& args, size_t from, std::string_view word) {
  return std::find(args.begin() + static_cast<ptrdiff_t>(std::min(from, args.size())), args.end(),
                   word) != args.end();
}

// The number behind that word.
std::optional<int64_t> Behind(const KeyCommands::Args& args, size_t from, std::string_view word) {
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

bool KeyCommands::IsWrite(const std::string& name) {
  static const std::string kWrites[] = {
      "SET", "DEL",    "INCR",    "APPEND", "RESTORE", "COPY",      "XADD",
      "MIX", "UNLINK", "FLUSHDB", "SADD",   "PEXPIRE", "PEXPIREAT", "PERSIST",
  };
  return std::find(std::begin(kWrites), std::end(kWrites), name) != std::end(kWrites);
}

std::optional<std::string> KeyCommands::Execute(const Args& args) {
  using Command = std::string (KeyCommands::*)(const Args&);
  static const std::map<std::string, Command> kCommands = {
      {"GET", &KeyCommands::Get},          {"DUMP", &KeyCommands::Dump},
      {"PTTL", &KeyCommands::Ttl},         {"PEXPIRETIME", &KeyCommands::Ttl},
      {"EXISTS", &KeyCommands::Other},     {"TOUCH", &KeyCommands::Other},
      {"TYPE", &KeyCommands::Other},       {"MEMORY", &KeyCommands::Other},
      {"DBSIZE", &KeyCommands::Other},     {"DEBUG", &KeyCommands::Debug},
      {"SCAN", &KeyCommands::Scan},        {"SET", &KeyCommands::Set},
      {"DEL", &KeyCommands::Delete},       {"UNLINK", &KeyCommands::Delete},
      {"INCR", &KeyCommands::Increment},   {"APPEND", &KeyCommands::Append},
      {"SADD", &KeyCommands::AddToSet},    {"XADD", &KeyCommands::AddToStream},
      {"MIX", &KeyCommands::Mix},          {"COPY", &KeyCommands::Copy},
      {"RESTORE", &KeyCommands::Restore},  {"PEXPIRE", &KeyCommands::Expire},
      {"PEXPIREAT", &KeyCommands::Expire}, {"PERSIST", &KeyCommands::Persist},
      {"FLUSHDB", &KeyCommands::Flush},
  };
  const auto found = kCommands.find(args[0]);
  if (found == kCommands.end()) return std::nullopt;
  return (this->*found->second)(args);
}

std::vector<KeyCommands::Args> KeyCommands::EffectOf(const Args& args) const {
  if (args[0] == "FLUSHDB") return {{"FLUSHDB", std::to_string(selected_)}};
  std::vector<Args> effect;
  const bool many = args[0] == "DEL" || args[0] == "UNLINK";
  const size_t first = args[0] == "COPY" ? 2 : 1;
  for (size_t i = first; i < (many ? args.size() : first + 1); ++i) {
    effect.push_back(StateOf(args[i]));
  }
  return effect;
}

KeyCommands::Args KeyCommands::StateOf(const std::string& key) const {
  const auto& values = keys_->values();
  const auto found = values.find(key);
  if (found == values.end()) return {"DEL", key};
  return {"RESTORE",
          key,
          std::to_string(keys_->ExpiryOf(key)),
          std::string(kDumped) + found->second,
          "REPLACE",
          "ABSTTL"};
}

std::string KeyCommands::Get(const Args& args) {
  const std::string* value = keys_->Look(args[1]);
  return value == nullptr ? kNil : Bulk(*value);
}

std::string KeyCommands::Dump(const Args& args) {
  const std::string* value = keys_->Look(args[1]);
  return value == nullptr ? kNil : Bulk(std::string(kDumped) + *value);
}

std::string KeyCommands::Ttl(const Args& args) {
  if (keys_->Look(args[1]) == nullptr) return Integer(-2);
  const uint64_t at_ms = keys_->ExpiryOf(args[1]);
  if (at_ms == 0) return Integer(-1);
  return Integer(static_cast<int64_t>(args[0] == "PTTL" ? at_ms - keys_->UnixMs() : at_ms));
}

// Of what is there, expired or not.
std::string KeyCommands::Debug(const Args& args) {
  const auto& values = keys_->values();
  const auto found = values.find(args[2]);
  const std::string digest =
      found == values.end() ? "0" : std::to_string(std::hash<std::string>()(found->second));
  return "*1\r\n" + Simple(digest);
}

// The cursor is what a key's hash must be above, so that keys that come and go change nothing for
// the others, as Redis has it.
std::string KeyCommands::Scan(const Args& args) {
  constexpr size_t kMost = 3;
  const uint64_t cursor = std::stoull(args[1]);
  std::map<uint64_t, std::string> rest;
  for (const auto& [key, value] : keys_->values()) {
    if (keys_->DatabaseOf(key) != selected_) continue;
    const uint64_t hash = 1 + (std::hash<std::string>()(key) >> 1);
    if (hash > cursor) rest[hash] = key;
  }
  std::string keys;
  size_t passed = 0;
  size_t count = 0;
  uint64_t next = 0;
  for (auto at = rest.begin(); at != rest.end() && passed < kMost; ++at, ++passed) {
    next = at->first;
    if (keys_->Look(at->second) == nullptr) continue;
    keys += Bulk(at->second);
    ++count;
  }
  if (passed == rest.size()) next = 0;
  return "*2\r\n" + Bulk(std::to_string(next)) + "*" + std::to_string(count) + "\r\n" + keys;
}

std::string KeyCommands::Set(const Args& args) {
  const std::string& key = args[1];
  const bool there = keys_->Look(key) != nullptr;
  if (Has(args, 3, "NX") && there) return kNil;
  const bool keep = Has(args, 3, "KEEPTTL");
  uint64_t at_ms = there && keep ? keys_->ExpiryOf(key) : 0;
  if (const auto after_ms = Behind(args, 3, "PX")) {
    at_ms = keys_->UnixMs() + static_cast<uint64_t>(*after_ms);
  }
  if (const auto after_s = Behind(args, 3, "EX")) {
    at_ms = keys_->UnixMs() + static_cast<uint64_t>(*after_s) * 1000;
  }
  if (const auto then_ms = Behind(args, 3, "PXAT")) at_ms = static_cast<uint64_t>(*then_ms);
  keys_->Put(key, args[2], at_ms);
  return Simple("OK");
}

std::string KeyCommands::Delete(const Args& args) {
  int64_t count = 0;
  for (size_t i = 1; i < args.size(); ++i) {
    if (keys_->Look(args[i]) != nullptr) count += keys_->Erase(args[i]) ? 1 : 0;
  }
  return Integer(count);
}

std::string KeyCommands::Increment(const Args& args) {
  std::string& value = keys_->Make(args[1]);
  value = std::to_string((value.empty() ? 0 : std::stoll(value)) + 1);
  return Integer(std::stoll(value));
}

std::string KeyCommands::Append(const Args& args) {
  std::string& value = keys_->Make(args[1]);
  value += args[2];
  return Integer(PlainSize(value));
}

// SADD of a member that is new, as those of the clients are: the reply says nothing of the rest.
std::string KeyCommands::AddToSet(const Args& args) {
  keys_->Make(args[1]) += args[2];
  return Integer(1);
}

// XADD key id f token. A node makes up the length as its ID, and takes no other that is not above
// what is there.
std::string KeyCommands::AddToStream(const Args& args) {
  std::string& value = keys_->Make(args[1]);
  const int64_t before = PlainSize(value);
  int64_t id = before + static_cast<int64_t>(args[4].size());
  if (args[2] != "*") {
    id = std::stoll(args[2]);
    if (id <= before) {
      return "-ERR The ID specified in XADD is equal or smaller than the top item\r\n";
    }
  }
  value += args[4];
  return Bulk(std::to_string(id) + "-0");
}

// MIX key * f token: each node makes up something of its own.
std::string KeyCommands::Mix(const Args& args) {
  std::string& value = keys_->Make(args[1]);
  value += args[4];
  value.insert(value.size() - 1, loop_->Random(4), '!');
  return Integer(PlainSize(value));
}

std::string KeyCommands::Copy(const Args& args) {
  const std::string* from = keys_->Look(args[1]);
  if (from == nullptr) return Integer(0);
  const std::string value = *from;
  keys_->Look(args[2]);
  keys_->Put(args[2], value, keys_->ExpiryOf(args[1]));
  return Integer(1);
}

// RESTORE key expiry payload [REPLACE] [ABSTTL]. A time that is past leaves nothing there, of which
// Redis says nothing if nothing was there before.
std::string KeyCommands::Restore(const Args& args) {
  const std::string& key = args[1];
  if (!args[3].starts_with(kDumped)) return "-ERR DUMP payload version or checksum are wrong\r\n";
  uint64_t at_ms = std::stoull(args[2]);
  if (at_ms != 0 && !Has(args, 4, "ABSTTL")) at_ms += keys_->UnixMs();
  const bool there = keys_->Look(key) != nullptr;
  if (!keys_->is_replica() && at_ms != 0 && keys_->UnixMs() >= at_ms) {
    keys_->Remove(there ? Gone::kPast : Gone::kUnsaid, key);
    return Simple("OK");
  }
  keys_->Put(key, args[3].substr(kDumped.size()), at_ms);
  return Simple("OK");
}

std::string KeyCommands::Expire(const Args& args) {
  const std::string& key = args[1];
  if (keys_->Look(key) == nullptr) return Integer(0);
  int64_t at_ms = std::stoll(args[2]);
  if (args[0] == "PEXPIRE") at_ms += static_cast<int64_t>(keys_->UnixMs());
  if (!keys_->is_replica() && at_ms <= static_cast<int64_t>(keys_->UnixMs())) {
    keys_->Remove(Gone::kPast, key);
  } else {
    keys_->SetExpiry(key, static_cast<uint64_t>(std::max<int64_t>(at_ms, 1)));
  }
  return Integer(1);
}

std::string KeyCommands::Persist(const Args& args) {
  const bool expires = keys_->Look(args[1]) != nullptr && keys_->Expires(args[1]);
  if (expires) keys_->SetExpiry(args[1], 0);
  return Integer(expires ? 1 : 0);
}

// As an effect it names the database.
std::string KeyCommands::Flush(const Args& args) {
  const int database = args.size() > 1 ? std::stoi(args[1]) : selected_;
  keys_->EraseDatabase(database);
  return Simple("OK");
}

std::string KeyCommands::Other(const Args& args) {
  const std::string& name = args[0];
  if (name == "DBSIZE") {
    const auto& values = keys_->values();
    return Integer(std::count_if(values.begin(), values.end(), [&](const auto& key) {
      return keys_->DatabaseOf(key.first) == selected_;
    }));
  }
  if (name == "MEMORY") return keys_->Look(args[2]) != nullptr ? Integer(100) : kNil;
  if (name == "TYPE") return Simple(keys_->Look(args[1]) != nullptr ? "string" : "none");
  int64_t count = 0;  // EXISTS, TOUCH
  for (size_t i = 1; i < args.size(); ++i) count += keys_->Look(args[i]) != nullptr ? 1 : 0;
  return Integer(count);
}

}  // namespace gemel::sim
