#include "backend/audit/key_comparison.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// A relative expiry begins when it reaches the node, so a copy that lags behind lets the key live
// longer by as much.
constexpr int64_t kTtlToleranceMs = 2000;
constexpr int64_t kGone = -2;
constexpr int64_t kForEver = -1;

constexpr uint32_t kLookQuestions = 3;

// Asked for at once, or one value that is larger.
constexpr uint64_t kBytesAtOnce = 256 * 1024;

CompareRead ReadOf(const std::string& name, const std::vector<std::string>& args) {
  return {CommandFrame({args.begin(), args.end()}), DatabaseOf(name)};
}

// It is no more, or will be before long: when exactly is a matter of each copy's clock.
bool IsGoing(int64_t ttl_ms) {
  return ttl_ms == kGone || (ttl_ms >= 0 && ttl_ms <= kTtlToleranceMs);
}

bool IsNear(int64_t a, int64_t b) { return (a > b ? a - b : b - a) <= kTtlToleranceMs; }

}  // namespace

bool KeyComparison::Begin(std::span<const std::string> keys, bool thorough, Done done) {
  reads_.clear();
  for (const std::string& name : keys) {
    const std::string key(KeyOf(name));
    reads_.push_back(ReadOf(name, {"TYPE", key}));
    reads_.push_back(ReadOf(name, {"PTTL", key}));
    reads_.push_back(ReadOf(name, {"MEMORY", "USAGE", key}));
    reads_.back().brief = true;  // it looks at five elements
  }
  copies_ = shard_.in_sync();
  primary_ = shard_.info().primary;
  if (!shard_.Compare(reads_, copies_, this)) return false;
  stage_ = Stage::kLook;
  thorough_ = thorough;
  mixed_ = false;
  for (CopyMask rest = copies_; rest != 0; rest &= rest - 1) {
    const auto copy = static_cast<uint32_t>(std::countr_zero(rest));
    mixed_ |= shard_.IdentityOf(copy).version != shard_.IdentityOf(primary_).version;
  }
  done_ = std::move(done);
  keys_.assign(keys.size(), Key());
  for (size_t i = 0; i < keys.size(); ++i) keys_[i].name = keys[i];
  verdicts_.assign(keys.size(), KeyVerdict());
  bytes_ = 0;
  begin_ = end_ = 0;
  return true;
}

void KeyComparison::Reset() {
  if (stage_ != Stage::kIdle) shard_.DropCompare();
  stage_ = Stage::kIdle;
  done_ = nullptr;
  digest_refused_ = false;
}

void KeyComparison::OnCompareReply(uint32_t index, uint32_t copy, std::string_view reply) {
  if (stage_ == Stage::kLook) {
    OnLook(index, copy, reply);
    return;
  }
  const Question& question = questions_[index];
  Answer& answer = answers_[index * kMaxCopies + copy];
  if (reply[0] == '-') {
    answer.state =
        reply.starts_with("-WRONGTYPE") ? Answer::State::kWrongType : Answer::State::kError;
    Key& key = keys_[question.key];
    if (key.error.empty()) key.error = ReplyText(reply);
    digest_refused_ |= question.digest;
    return;
  }
  answer.state = Answer::State::kOk;
  if (question.ask == Ask::kValue) {
    answer.digest = DigestOf(question.part, reply);
  } else if (!ParseInteger(ReplyText(reply), &answer.number)) {
    answer.state = Answer::State::kError;
  }
}

void KeyComparison::OnLook(uint32_t index, uint32_t copy, std::string_view reply) {
  Key& key = keys_[index / kLookQuestions];
  const std::string_view text = ReplyText(reply);
  const bool is_error = reply[0] == '-';
  int64_t number = 0;
  switch (index % kLookQuestions) {
    case 0: {
      if (is_error) {
        key.error = text;
        return;
      }
      const ValueKind kind = ValueKindOf(text);
      if (kind != ValueKind::kNone && (copy == primary_ || key.kind == ValueKind::kNone)) {
        key.kind = kind;
      }
      return;
    }
    case 1:
      key.expires |= !is_error && ParseInteger(text, &number) && number >= 0;
      return;
    default:
      if (is_error) {
        key.size_known = false;
      } else if (ParseInteger(text, &number) && number > 0) {
        key.size = std::max(key.size, static_cast<uint64_t>(number));
        if (copy == primary_) shard_.NoteMemory(key.name, key.size);
      }
  }
}

void KeyComparison::OnCompareEnd(bool known) {
  if (!known) {
    Finish(false);
    return;
  }
  if (stage_ == Stage::kValue) Judge();
  AskValues();
}

void KeyComparison::Finish(bool known) {
  stage_ = Stage::kIdle;
  const Done done = std::exchange(done_, nullptr);
  if (done) done(known);
}

// Of the next keys, or says that there are no more.
void KeyComparison::AskValues() {
  reads_.clear();
  questions_.clear();
  begin_ = end_;
  for (uint64_t bytes = 0; end_ < keys_.size() && bytes < kBytesAtOnce; ++end_) {
    Key& key = keys_[end_];
    key.locked = shard_.IsKeyLocked(key.name);
    key.partly = !key.size_known || key.size > max_value_;
    if (!key.partly) {
      if (bytes > 0 && bytes + key.size > kBytesAtOnce) break;
      bytes += key.size;
      bytes_ += key.size;
    }
    AskValue(end_, &key);
  }
  if (questions_.empty()) {  // no more, or all that are left are gone
    Judge();
    Finish(true);
    return;
  }
  answers_.assign(questions_.size() * kMaxCopies, Answer());
  stage_ = Stage::kValue;
  // Who is in sync may have changed meanwhile.
  if (shard_.in_sync() != copies_ || shard_.info().primary != primary_ ||
      !shard_.Compare(reads_, copies_, this)) {
    Finish(false);
  }
}

void KeyComparison::AskValue(size_t index, Key* key) {
  const auto ask = [this, index](Ask what, const ValueQuestion& question) {
    questions_.push_back({what, question.part, question.args[0] == "DEBUG", index});
    reads_.push_back(ReadOf(keys_[index].name, question.args));
  };
  key->first = questions_.size();
  if (key->kind == ValueKind::kNone) return;
  ValueLook look = thorough_ || digest_refused_ ? ValueLook::kContent : ValueLook::kDigest;
  // Two DUMPs of equal modules' values may differ, so a thorough look is no help there.
  if (key->kind == ValueKind::kModule && !digest_refused_) look = ValueLook::kDigest;
  // DEBUG DIGEST-VALUE is of scores as that version writes them.
  if (mixed_ && key->kind == ValueKind::kZset) look = ValueLook::kContent;
  if (key->partly) look = ValueLook::kLength;
  // First: a key that has expired is deleted by it, and DEBUG would still see it.
  const std::string bare(KeyOf(key->name));
  ask(Ask::kTtl, {{"PTTL", bare}, ValuePart::kBytes});
  if (key->expires) ask(Ask::kExpireTime, {{"PEXPIRETIME", bare}, ValuePart::kBytes});
  for (const ValueQuestion& question : ValueQuestions(key->kind, look, bare)) {
    ask(Ask::kValue, question);
  }
  key->count = questions_.size() - key->first;
}

void KeyComparison::Judge() {
  for (size_t i = begin_; i < end_; ++i) JudgeKey(keys_[i], &verdicts_[i]);
}

void KeyComparison::JudgeKey(const Key& key, KeyVerdict* verdict) const {
  if (key.count == 0) {
    verdict->kind = key.error.empty() ? KeyVerdict::Kind::kEqual : KeyVerdict::Kind::kUnknown;
    verdict->passing = true;
    verdict->why = key.error;
    return;
  }
  bool unknown = false;
  for (CopyMask rest = copies_ & ~Bit(primary_); rest != 0; rest &= rest - 1) {
    const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
    std::string how;
    const Outcome outcome = CompareWithPrimary(key, copy, &how);
    unknown |= outcome == Outcome::kNotKnown;
    if (outcome != Outcome::kOther) continue;
    if (verdict->differ == 0) verdict->why = how;
    verdict->differ |= Bit(copy);
  }
  if (verdict->differ != 0 && key.locked) {
    verdict->differ = 0;
    verdict->kind = KeyVerdict::Kind::kUnknown;
    verdict->passing = true;
    verdict->why = "it was being written";
  } else if (verdict->differ != 0) {
    verdict->kind = KeyVerdict::Kind::kDiffers;
  } else if (unknown) {
    verdict->kind = KeyVerdict::Kind::kUnknown;
    verdict->passing = !key.error.empty();
    verdict->why = key.error.empty() ? "its type's DUMP may differ for equal values" : key.error;
  } else if (key.partly) {
    verdict->kind = KeyVerdict::Kind::kSkipped;
    verdict->why = key.size_known ? "it is larger than max_value" : "its size is not told";
  } else {
    verdict->kind = KeyVerdict::Kind::kEqual;
  }
}

KeyComparison::Outcome KeyComparison::CompareWithPrimary(const Key& key, uint32_t copy,
                                                         std::string* how) const {
  const Answer& ours = At(key.first, primary_);
  const Answer& theirs = At(key.first, copy);
  if (ours.state != Answer::State::kOk || theirs.state != Answer::State::kOk) {
    return Outcome::kNotKnown;
  }
  if (IsGoing(ours.number) && IsGoing(theirs.number)) return Outcome::kSame;
  const std::string& node = shard_.info().copies[copy].node;
  if ((ours.number == kGone) != (theirs.number == kGone)) {
    *how = ours.number == kGone ? "only " + node + " has it" : node + " does not have it";
    return Outcome::kOther;
  }
  bool same_end = ours.number == theirs.number;
  if (!same_end && ours.number != kForEver && theirs.number != kForEver) {
    same_end = IsNear(ours.number, theirs.number);
    // The commands may have arrived at different times: then the absolute time tells. (Not in Redis
    // before 7.0.)
    if (!same_end && key.expires) {
      const Answer& our_end = At(key.first + 1, primary_);
      const Answer& their_end = At(key.first + 1, copy);
      same_end = our_end.state == Answer::State::kOk && their_end.state == Answer::State::kOk &&
                 IsNear(our_end.number, their_end.number);
    }
  }
  if (!same_end) {
    *how = "it expires at another time on " + node;
    return Outcome::kOther;
  }
  const Outcome outcome = CompareValues(key, copy);
  if (outcome == Outcome::kOther) {
    *how = (key.partly ? "it is longer or shorter on " : "its value is another one on ") + node;
  }
  return outcome;
}

KeyComparison::Outcome KeyComparison::CompareValues(const Key& key, uint32_t copy) const {
  for (size_t i = key.first; i < key.first + key.count; ++i) {
    if (questions_[i].ask != Ask::kValue) continue;
    const Answer& ours = At(i, primary_);
    const Answer& theirs = At(i, copy);
    const auto is_clear = [](const Answer& answer) {
      return answer.state == Answer::State::kOk || answer.state == Answer::State::kWrongType;
    };
    if (!is_clear(ours) || !is_clear(theirs)) return Outcome::kNotKnown;
    if (ours.state != theirs.state) return Outcome::kOther;
    if (ours.state == Answer::State::kWrongType) return Outcome::kNotKnown;  // it has just changed
    if (ours.digest == theirs.digest) continue;
    const bool dumped = key.kind == ValueKind::kModule && digest_refused_;
    return dumped ? Outcome::kNotKnown : Outcome::kOther;
  }
  return Outcome::kSame;
}

}  // namespace gemel
