#include "tests/e2e/reply_oracle_duel.h"

#include <stdexcept>

namespace gemel::e2e::reply_oracle_test {
namespace {

std::string Line(const Words& words) {
  std::string line;
  for (const std::string& word : words)
    line += (line.empty() ? "\"" : " \"") + Shown(word, 100) + "\"";
  return line;
}

}  // namespace

void Duel::Connect() {
  gemel_ = std::make_unique<Wire>(gemel_port_);
  redis_ = std::make_unique<Wire>(redis_port_);
  queued_.clear();
}

void Duel::Begin(const std::string& protocol) {
  Connect();
  recent_.clear();
  for (Wire* wire : {gemel_.get(), redis_.get()}) {
    wire->Ask({"HELLO", protocol});
    wire->Ask({"SCRIPT", "FLUSH"});
    wire->Ask({"FUNCTION", "FLUSH"});
    if (wire->Ask({"FLUSHALL"}) != "+OK\r\n") throw std::runtime_error("FLUSHALL is refused");
  }
}

std::string Duel::WalkOn(Wire* wire, const Words& options) {
  constexpr int kMostPages = 1000;
  std::set<std::string> keys;
  std::string cursor = "0";
  for (int page = 0; page < kMostPages; ++page) {
    Words words = {"SCAN", cursor};
    Add(&words, options);
    const std::string bytes = wire->Ask(words);
    const Value reply = ParseReply(bytes);
    if (reply.items.size() != 2) return bytes;
    for (const Value& key : reply.items[1].items) keys.insert(key.text);
    cursor = reply.items[0].text;
    if (cursor == "0") break;
  }
  std::string all = cursor + ":";
  for (const std::string& key : keys) all += " " + key;
  return all;
}

bool Duel::Walk(const Words& options) {
  if (!Play({{"DISCARD"}})) return false;
  const std::string gemel = WalkOn(gemel_.get(), options);
  const std::string redis = WalkOn(redis_.get(), options);
  if (gemel == redis) return true;
  recent_.push_back("SCAN 0 " + Line(options) + ", and on");
  Complain("scan", gemel, redis);
  return false;
}

bool Duel::Play(const Batch& batch) {
  std::string bytes;
  for (const Words& words : batch) bytes += Encode(words);
  gemel_->Send(bytes);
  redis_->Send(bytes);
  bool agreed = true;
  for (const Words& words : batch) {
    ++steps_;
    recent_.push_back(Line(words));
    if (recent_.size() > most_recent_) recent_.pop_front();
    std::string replies[2];
    for (const bool of_redis : {true, false}) {
      try {
        replies[of_redis] = (of_redis ? redis_ : gemel_)->Read();
      } catch (const std::exception& error) {
        Complain(RowOf(words), of_redis ? "" : error.what(), of_redis ? error.what() : "");
        return false;
      }
    }
    agreed = agreed && Judge(words, replies[0], replies[1]);
  }
  return agreed;
}

bool Duel::Judge(const Words& words, const std::string& gemel, const std::string& redis) {
  const Value of_gemel = ParseReply(gemel);
  const Value of_redis = ParseReply(redis);
  if (gemel == "+QUEUED\r\n" && redis == gemel) {
    queued_.push_back(words);
    return true;
  }
  const std::string_view row = RowOf(words);
  const bool agreed = row == "exec" && IsOfBlock(of_gemel) && IsOfBlock(of_redis)
                          ? JudgeBlock(of_gemel, of_redis)
                          : JudgeOne(words, of_gemel, of_redis);
  if (row == "exec" || row == "discard" || row == "reset") queued_.clear();
  return agreed;
}

bool Duel::IsOfBlock(const Value& reply) const {
  return reply.type == '*' && reply.items.size() == queued_.size() && !reply.text.starts_with('-');
}

// Each reply of a block is that of its command.
bool Duel::JudgeBlock(const Value& gemel, const Value& redis) {
  const Batch block = std::move(queued_);
  queued_.clear();
  for (size_t i = 0; i < block.size(); ++i) {
    if (!JudgeOne(block[i], gemel.items[i], redis.items[i])) return false;
  }
  answered_.insert("exec");
  return true;
}

bool Duel::JudgeOne(const Words& words, const Value& gemel, const Value& redis) {
  const std::string_view row = RowOf(words);
  if (Alike(LikenessOf(row, words), gemel, redis)) {
    if (!gemel.IsError()) answered_.emplace(row);
    return true;
  }
  if (const Excuse* excuse = FindExcuse(row, gemel.bytes, redis.bytes); excuse != nullptr) {
    if (!gemel.IsError() && !redis.IsError()) answered_.emplace(row);
    ++excused_[std::string(row) + ": " + std::string(excuse->why)];
  } else {
    Complain(row, gemel.bytes, redis.bytes);
  }
  return false;
}

void Duel::Complain(std::string_view row, std::string_view gemel, std::string_view redis) {
  constexpr size_t kKind = 24;  // what begins alike is said once
  const std::string kind = std::string(row) + " " + Shown(gemel, kKind) + " " + Shown(redis, kKind);
  if (!complained_of_.insert(kind).second) return;
  std::string complaint = std::string(row) + ", step " + std::to_string(steps_) + "\n  after";
  for (const std::string& line : recent_) complaint += "\n    " + line;
  complaint += "\n  gemel: " + Shown(gemel) + "\n  redis: " + Shown(redis);
  complaints_.push_back(std::move(complaint));
}

}  // namespace gemel::e2e::reply_oracle_test
