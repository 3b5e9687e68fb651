#include "backend/resync/node_check.h"

#include <algorithm>
#include <utility>

#include "backend/resync/diskless_delay.h"

namespace gemel {

namespace {

constexpr uint64_t kIntervalMs = 100;
constexpr uint64_t kAgainMs = 10 * 1000;
constexpr uint64_t kUnansweredMs = 1000;

// What a right is needed for.
enum class Use : uint8_t { kKnowing, kReplicating, kKeys };

struct Question {
  Use use;
  const char* name;
  const char* rule;                // of ACL
  std::vector<const char*> words;  // a command that changes nothing
};

// None of them succeeds where it would do something: a port and a payload that are none, an id that
// nobody has.
const std::vector<Question>& Questions() {
  static const std::vector<Question> kQuestions = {
      {Use::kKnowing, "INFO", "+info", {"INFO", "server"}},
      {Use::kKnowing,
       "CLIENT KILL",
       "+client|kill",
       {"CLIENT", "KILL", "ID", "9223372036854775807"}},
      {Use::kReplicating, "REPLICAOF", "+replicaof", {"REPLICAOF", "gemel", "asks"}},
      {Use::kReplicating, "REPLCONF", "+replconf +psync", {"REPLCONF", "gemel-asks", "0"}},
      {Use::kKeys, "SCAN", "+scan", {"SCAN", "0", "COUNT", "1"}},
      {Use::kKeys, "EXISTS", "+exists", {"EXISTS", "gemel:asks"}},
      {Use::kKeys, "DUMP", "+dump", {"DUMP", "gemel:asks"}},
      {Use::kKeys, "PTTL", "+pttl", {"PTTL", "gemel:asks"}},
      {Use::kKeys, "PEXPIRETIME", "+pexpiretime", {"PEXPIRETIME", "gemel:asks"}},
      {Use::kKeys, "RESTORE", "+restore", {"RESTORE", "gemel:asks", "0", "none"}},
  };
  return kQuestions;
}

constexpr size_t kInfo = 0;  // among them

bool IsLacking(const Question& question, const ControlReply& reply) {
  if (!reply.refused) return false;
  const std::string_view error = reply.error;
  if (error.starts_with("NOPERM")) {
    // A key that it may not touch is another matter.
    return error.find("key") == std::string_view::npos;
  }
  // Older servers do not know it.
  if (std::string_view(question.name) == "PEXPIRETIME") return false;
  return error.starts_with("ERR unknown command") || error.starts_with("ERR REPLICAOF not allowed");
}

}  // namespace

NodeCheck::NodeCheck(ResyncPort shard, ControlPort* port, ShardEnv* env)
    : shard_(shard), port_(port), env_(env), seen_(kMaxCopies) {}

void NodeCheck::ForgetCopy(uint32_t copy) {
  const uint64_t round = seen_[copy].round;
  seen_[copy] = {};
  seen_[copy].round = round + 1;
}

void NodeCheck::Tick(uint64_t now_ms) {
  if (now_ms < next_ms_) return;
  next_ms_ = now_ms + kIntervalMs;
  // A node alone has nobody to be equal to.
  if (shard_.member_count() < 2) return;
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    const Seen& seen = seen_[i];
    if (!shard_.IsMember(i) || !shard_.link(i)->up() || seen.waiting > 0) continue;
    const bool again = seen.again_ms != 0 && now_ms >= seen.again_ms;
    if (seen.connection != shard_.ConnectionOf(i) || again) Ask(i, now_ms);
  }
  CheckVersions();
}

void NodeCheck::Ask(uint32_t copy, uint64_t now_ms) {
  Seen& seen = seen_[copy];
  if (seen.connection != shard_.ConnectionOf(copy)) DisklessDelay::Heal(port_, copy);
  seen.connection = shard_.ConnectionOf(copy);
  seen.lacks.clear();
  seen.unknown = false;
  seen.again_ms = now_ms + kAgainMs;
  const uint64_t round = ++seen.round;
  seen.waiting = static_cast<uint32_t>(Questions().size());
  for (size_t i = 0; i < Questions().size(); ++i) {
    const auto& words = Questions()[i].words;
    port_->Command(copy, {words.begin(), words.end()},
                   alive_.Guard([this, copy, i, round](const ControlReply& reply) {
                     if (seen_[copy].round == round) OnReply(copy, i, reply);
                   }));
  }
}

void NodeCheck::OnReply(uint32_t copy, size_t question, const ControlReply& reply) {
  Seen& seen = seen_[copy];
  seen.unknown |= !reply.ok && !reply.refused;
  if (IsLacking(Questions()[question], reply)) seen.lacks.push_back(question);
  if (--seen.waiting > 0) return;
  if (seen.unknown) {
    seen.again_ms = env_->NowMs() + kUnansweredMs;
    return;
  }
  if (seen.lacks.empty()) seen.again_ms = 0;
  Say(copy, &seen.rights, RightsText(copy), "allows all that gemel needs by now");
}

std::string NodeCheck::RightsText(uint32_t copy) const {
  const Seen& seen = seen_[copy];
  if (seen.lacks.empty()) return {};
  std::string names;
  std::string rules;
  bool lacks[3] = {};
  for (size_t i : seen.lacks) {
    const Question& question = Questions()[i];
    names += (names.empty() ? "" : ", ") + std::string(question.name);
    rules += (rules.empty() ? "" : " ") + std::string(question.rule);
    lacks[static_cast<size_t>(question.use)] = true;
  }
  const bool knows = !lacks[static_cast<size_t>(Use::kKnowing)];
  const bool replicates = !lacks[static_cast<size_t>(Use::kReplicating)] &&
                          std::count(seen.lacks.begin(), seen.lacks.end(), kInfo) == 0;
  const bool keys = !lacks[static_cast<size_t>(Use::kKeys)];
  const std::string& user = shard_.node(copy).user;
  std::string text = "does not let gemel's user '" + (user.empty() ? "default" : user) + "' use " +
                     names + " (allow it: by ACL " + rules + "; no rename-command): ";
  if (!replicates && !keys) {
    text += "once it has missed writes it stays stale, for nothing can make it equal again";
  } else if (!keys) {
    text += "single keys cannot be repaired, so all is copied after each loss";
  } else if (!replicates) {
    text += "it is copied key by key, which takes longer";
  }
  if (!knows) {
    text += std::string(replicates && keys ? "" : ", and ") +
            "each lost connection costs it a whole copy, since it cannot be told whether it is "
            "what it was";
  }
  return text;
}

// As soon as both are known.
void NodeCheck::CheckVersions() {
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    if (!shard_.IsMember(i) || !shard_.link(i)->up()) continue;
    Say(i, &seen_[i].version, VersionText(i), "can read what the other copies write by now");
  }
}

std::string NodeCheck::VersionText(uint32_t copy) const {
  const NodeIdentity& own = shard_.link(copy)->identity();
  std::string others;
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    // One that is away is what it was last.
    if (i == copy || !shard_.IsMember(i)) continue;
    const NodeIdentity& other = shard_.link(i)->identity();
    if (!CannotRead(own, other)) continue;
    others += (others.empty() ? "" : ", ") + shard_.link(i)->name() + " (" + other.version + ")";
  }
  if (others.empty()) return {};
  return "(" + own.version + ") can read neither the replication nor the DUMPs of " + others +
         ": it is copied from there key by key, by commands of the keys' types, which takes longer "
         "and leaves functions out, until it is as new";
}

void NodeCheck::Say(uint32_t copy, std::string* said, std::string text, const std::string& good) {
  if (*said == text) return;
  const std::string node = "shard '" + shard_.info().name + "': " + shard_.link(copy)->name();
  if (text.empty()) {
    env_->Note(NoteLevel::kInfo, node + " " + good);
  } else {
    env_->Note(NoteLevel::kWarn, node + " " + text);
  }
  *said = std::move(text);
}

std::string NodeCheck::warning(uint32_t copy) const {
  const Seen& seen = seen_[copy];
  const bool both = !seen.rights.empty() && !seen.version.empty();
  return seen.rights + (both ? "; it " : "") + seen.version;
}

}  // namespace gemel
