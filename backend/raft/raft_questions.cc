#include "backend/raft/raft_questions.h"

#include <algorithm>
#include <utility>

namespace gemel {

RaftQuestions::RaftQuestions(Options options, Send send)
    : options_(std::move(options)),
      voters_(options_.voters),
      send_(std::move(send)),
      up_(voters_.size()) {}

void RaftQuestions::AddVoter(const std::string& address) {
  voters_.push_back(address);
  up_.push_back(false);
}

void RaftQuestions::Read(const std::string& name, Registers::ReadDone done, uint64_t now_ms) {
  Question question;
  question.ask.kind = RaftAsk::Kind::kRead;
  question.ask.name = name;
  question.read = std::move(done);
  Add(std::move(question), now_ms);
}

void RaftQuestions::List(const std::string& prefix, uint64_t since, Registers::ListDone done,
                         uint64_t now_ms) {
  Question question;
  question.ask.kind = RaftAsk::Kind::kList;
  question.ask.name = prefix;
  question.ask.since = since;
  question.list = std::move(done);
  Add(std::move(question), now_ms);
}

void RaftQuestions::Write(const std::string& name, uint64_t expected, const std::string& text,
                          Registers::WriteDone done, uint64_t now_ms) {
  Question question;
  question.ask.kind = RaftAsk::Kind::kWrite;
  question.ask.command.client = options_.client;
  question.ask.command.name = name;
  question.ask.command.expected = expected;
  question.ask.command.text = text;
  question.write = std::move(done);
  Add(std::move(question), now_ms);
}

void RaftQuestions::Change(bool add, const std::string& address, ChangeDone done, uint64_t now_ms) {
  Question question;
  question.ask.kind = add ? RaftAsk::Kind::kAddVoter : RaftAsk::Kind::kRemoveVoter;
  question.ask.name = address;
  question.change = std::move(done);
  Add(std::move(question), now_ms);
}

void RaftQuestions::Add(Question question, uint64_t now_ms) {
  const uint64_t id = next_id_++;
  question.ask.id = id;
  question.ask.command.seq = id;
  question.until_ms = now_ms + (question.change ? kChangeMs : options_.time_limit_ms);
  if (questions_.empty()) current_ms_ = now_ms;
  Question& added = questions_.emplace(id, std::move(question)).first->second;
  added.ask.command.floor = questions_.begin()->first;
  SendOne(&added, now_ms);
}

void RaftQuestions::SendOne(Question* question, uint64_t now_ms) {
  if (!send_(current_, question->ask)) return;
  question->under_way = true;
  question->sent_ms = now_ms;
  ++question->sent;
}

void RaftQuestions::Pump(uint64_t now_ms) {
  for (auto& [id, question] : questions_) {
    if (!question.under_way && now_ms >= question.retry_ms) SendOne(&question, now_ms);
  }
}

void RaftQuestions::Turn(size_t next, uint64_t now_ms) {
  current_ = next;
  for (size_t i = 0; i < up_.size() && !up_[current_]; ++i) current_ = After(current_);
  current_ms_ = now_ms;
  for (auto& [id, question] : questions_) {
    question.under_way = false;
    question.retry_ms = now_ms + kPaceMs;
  }
  // Changes were told by the one before, as far as it knew.
  changed_ = true;
}

size_t RaftQuestions::IndexOf(const std::string& voter) const {
  return static_cast<size_t>(std::find(voters_.begin(), voters_.end(), voter) - voters_.begin());
}

void RaftQuestions::OnAnswer(size_t voter, const RaftAnswer& answer, uint64_t now_ms) {
  if (voter == current_) current_ms_ = now_ms;
  if (answer.kind == RaftAnswer::Kind::kChanged) {
    changed_ |= voter == current_;
    return;
  }
  const auto found = questions_.find(answer.id);
  if (found == questions_.end()) return;
  Question& question = found->second;
  if (answer.kind == RaftAnswer::Kind::kElsewhere) {
    return Elsewhere(voter, answer, &question, now_ms);
  }
  if (answer.kind == RaftAnswer::Kind::kUnknown) {
    if (voter != current_) return;
    question.under_way = false;
    question.retry_ms = now_ms + (question.change ? kChangePaceMs : kPaceMs);
    return;
  }
  if (answer.kind == RaftAnswer::Kind::kRefused && !question.change) return;
  const bool conflict = answer.kind == RaftAnswer::Kind::kConflict;
  if (conflict && !question.write) return;
  if (voter != current_) Turn(voter, now_ms);
  if (suspect_ == voter) suspect_ = kNobody;
  if (!trouble_.empty()) changed_ = true;
  trouble_.clear();
  if (!question.change) answer_ms_ = now_ms - (question.until_ms - options_.time_limit_ms);
  Finish(found, conflict ? RegisterOutcome::kConflict : RegisterOutcome::kDone, answer);
}

void RaftQuestions::Elsewhere(size_t voter, const RaftAnswer& answer, Question* question,
                              uint64_t now_ms) {
  ++question->refused;
  if (voter != current_) return;
  size_t next = IndexOf(answer.leader);
  const bool suspected = next == suspect_ && now_ms < suspect_ms_ + kSuspectMs;
  if (next == voters_.size() || suspected) next = After(voter);
  Turn(next, now_ms);
}

void RaftQuestions::OnLine(size_t voter, uint64_t now_ms) {
  up_[voter] = true;
  if (!up_[current_]) Turn(voter, now_ms);
  if (voter != current_) return;
  current_ms_ = now_ms;
  changed_ = true;
  Pump(now_ms);
}

void RaftQuestions::OnLost(size_t voter, const std::string& why, uint64_t now_ms) {
  last_why_ = why;
  up_[voter] = false;
  if (voter != current_) return;
  suspect_ = voter;
  suspect_ms_ = now_ms;
  Turn(After(voter), now_ms);
}

void RaftQuestions::Tick(uint64_t now_ms) {
  Expire(now_ms);
  if (questions_.empty()) return;
  const bool silent = std::any_of(questions_.begin(), questions_.end(), [&](const auto& each) {
    const Question& question = each.second;
    const uint64_t since_ms = std::max(current_ms_, question.under_way ? question.sent_ms : 0);
    return now_ms >= since_ms + kSilentMs;
  });
  if (silent) {
    suspect_ = current_;
    suspect_ms_ = now_ms;
    Turn(After(current_), now_ms);
  }
  Pump(now_ms);
}

void RaftQuestions::Expire(uint64_t now_ms) {
  for (auto each = questions_.begin(); each != questions_.end();) {
    const auto question = each++;
    if (now_ms < question->second.until_ms) continue;
    if (question->second.change) {
      Finish(question, RegisterOutcome::kUnreachable, {});
      continue;
    }
    trouble_ = "no voter of raft led the others within " + std::to_string(options_.time_limit_ms) +
               " ms" + (last_why_.empty() ? "" : " (" + last_why_ + ")");
    const bool maybe = question->second.write && question->second.sent > question->second.refused;
    Finish(question, maybe ? RegisterOutcome::kUnknown : RegisterOutcome::kUnreachable, {});
  }
}

void RaftQuestions::Finish(std::map<uint64_t, Question>::iterator question, RegisterOutcome outcome,
                           const RaftAnswer& answer) {
  Question done = std::move(question->second);
  questions_.erase(question);
  if (done.change) {
    std::string why =
        outcome == RegisterOutcome::kDone
            ? ""
            : "no voter that leads has said in time what became of it, and it may be done still";
    if (answer.kind == RaftAnswer::Kind::kRefused) {
      why = answer.values.empty() ? "it was refused" : answer.values[0].value.text;
    }
    finished_.push_back([change = std::move(done.change), why = std::move(why)] { change(why); });
  } else if (done.write) {
    finished_.push_back([write = std::move(done.write), outcome, version = answer.version] {
      write(outcome, version);
    });
  } else if (done.list) {
    finished_.push_back(
        [list = std::move(done.list), outcome, all = answer.values] { list(outcome, all); });
  } else {
    RegisterValue value;
    if (!answer.values.empty()) value = answer.values[0].value;
    finished_.push_back(
        [read = std::move(done.read), outcome, value = std::move(value)] { read(outcome, value); });
  }
}

std::vector<RaftQuestions::Task> RaftQuestions::TakeFinished() {
  return std::exchange(finished_, {});
}

bool RaftQuestions::TakeChanged() { return std::exchange(changed_, false); }

}  // namespace gemel
