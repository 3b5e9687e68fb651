#include "backend/shard/blocked_clients.h"

#include <algorithm>

#include "backend/command/second_copy.h"
#include "backend/keys/key_name.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/blocked_news.h"
#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/shard_roles.h"

namespace gemel {

namespace {

constexpr uint64_t kLaterMs = 100;  // what could not be asked is asked again
constexpr size_t kSpare = 64;

// Nobody knows whether it was carried out.
bool IsUnknown(std::string_view error) {
  return error.find("may or may not") != std::string_view::npos;
}

void AddKey(const std::string& key, std::vector<std::string>* keys) {
  if (std::find(keys->begin(), keys->end(), key) == keys->end()) keys->push_back(key);
}

}  // namespace

BlockedClients::~BlockedClients() = default;

void BlockedClients::Submit(Request* request) {
  const auto& cargo = static_cast<const BlockingCargo&>(*request->extra->cargo);
  auto owned = std::make_unique<Waiter>();
  Waiter* waiter = owned.get();
  waiters_.emplace(waiter, std::move(owned));
  waiter->request = request;
  waiter->number = ++came_;
  waiter->ticket = cargo.ticket;
  waiter->ticket->waiter = waiter;
  frame_.Look(*request);
  waiter->places.resize(KeysWaitedFor(*request->row, frame_.size()));
  for (size_t i = 0; i < waiter->places.size(); ++i) {
    const std::string_view key = frame_.key(i);
    auto line = lines_.find(key);
    if (line == lines_.end()) {
      line = lines_.try_emplace(std::string(key)).first;
      line->second.key = line->first;
    }
    Place& place = waiter->places[i];
    place.waiter = waiter;
    place.line = &line->second;
    line->second.Join(&place);
  }
  if (cargo.timeout_ms != 0) {
    const uint64_t at_ms = parts_->env->NowMs() + cargo.timeout_ms;
    waiter->deadline = deadlines_.emplace(at_ms, waiter);
    waiter->has_deadline = true;
    if (waiter->deadline == deadlines_.begin()) parts_->env->UnblockAt(at_ms);
  }
  waiting_.Set(waiters_.size());
  if (ready_.empty() && waiter->MayWaitAtOnce()) {
    OnNothing(waiter);
  } else {
    Ask(waiter, {});
  }
}

void BlockedClients::Unblock(Request* request) {
  const auto& cargo = static_cast<const UnblockCargo&>(*request->extra->cargo);
  if (auto* waiter = static_cast<Waiter*>(cargo.ticket->waiter); waiter != nullptr) {
    waiter->gone |= cargo.why == UnblockCargo::Why::kGone;
    if (waiter->end.empty()) waiter->end = UnblockedText(cargo.why);
    EndIfDue(waiter);
  }
  request->sink->OnReply(request, Reply{"+OK\r\n", nullptr});
}

void BlockedClients::OnWrite(const Request& request) {
  AddNews(request, /*own=*/request.sink == this, lines_, &frame_, &ready_);
}

void BlockedClients::OnKeyTold(std::string_view key) {
  const auto line = lines_.find(key);
  if (line != lines_.end()) ready_.push_back({line->first, 1, true});
}

void BlockedClients::Serve() {
  if (serving_) return;
  serving_ = true;
  ++round_;
  for (size_t i = 0; i < ready_.size(); ++i) {
    const BlockedNews news = std::move(ready_[i]);
    const auto line = lines_.find(news.key);
    if (line == lines_.end()) continue;
    line->second.more |= news.more;
    Wake(&line->second, news, /*of_write=*/true);
  }
  ready_.clear();
  serving_ = false;
}

void BlockedClients::Doubt() {
  for (auto& [key, line] : lines_) line.Doubt();
}

bool BlockedClients::TakesAll(const Line& line, const BlockedNews& news) const {
  if (!line.empty || news.of == Elements::kNone) return false;
  size_t count = news.count;
  for (const Place* place = line.first; place != nullptr && count > 0; place = place->behind) {
    const Waiter& waiter = *place->waiter;
    if (!waiter.in_line || waiter.request->row->elements != news.of) return false;
    if (place != line.first && !Alike(waiter, *line.first->waiter)) return false;
    if (!waiter.asking) {
      --count;
    } else if (waiter.question == nullptr || waiter.question->about != Question::About::kItself ||
               waiter.question->key != line.key) {
      return false;
    }
  }
  return count == 0;
}

// Whoever takes nothing away is asked for, however many they are; of those who wait alike, so many
// as there may be something for.
void BlockedClients::Wake(Line* line, const BlockedNews& news, bool of_write) {
  const std::string key = line->key;
  const bool takes_all = of_write && TakesAll(*line, news);
  if (of_write) line->Doubt();
  line->empty |= takes_all;
  size_t count = news.count;
  std::vector<Waiter*> chosen;
  const auto served = [&](const Waiter& waiter) {
    return std::any_of(chosen.begin(), chosen.end(),
                       [&](const Waiter* other) { return Alike(waiter, *other); });
  };
  for (Place* place = line->first; place != nullptr; place = place->behind) {
    if (count == 0 && line->of_streams == 0) break;
    Waiter* waiter = place->waiter;
    const CommandRow& row = *waiter->request->row;
    const bool of_stream = waiter->of_stream();
    if (!(of_stream && of_write) && ((news.of != Elements::kNone && row.elements != news.of) ||
                                     (news.not_of & BitOf(row.elements)) != 0)) {
      continue;
    }
    if (waiter->asking) {
      if (takes_all) continue;  // it is asked for what came before
      const bool elsewhere = waiter->question != nullptr && waiter->question->key != key;
      if (of_write || elsewhere) AddKey(key, &waiter->again);
      // It comes before those behind it also for what else the same write has brought.
      if (elsewhere && count > 0 && (!of_write || waiter->round == round_)) --count;
      continue;
    }
    if (of_stream ? row.IsWrite() && served(*waiter) : count == 0) continue;
    if (!of_stream) --count;
    chosen.push_back(waiter);
    waiter->asking = true;  // so that no answer ends it meanwhile
    if (of_write) waiter->round = round_;
  }
  for (Waiter* waiter : chosen) Ask(waiter, key);
}

std::unique_ptr<BlockedClients::Question> BlockedClients::NewQuestion(Waiter* waiter) {
  std::unique_ptr<Question> question;
  if (spare_.empty()) {
    question = std::make_unique<Question>();
  } else {
    question = std::move(spare_.back());
    spare_.pop_back();
  }
  question->waiter = waiter;
  question->about = Question::About::kItself;
  question->key.clear();
  question->writes = 0;
  question->asked = {};
  question->of_shard = true;
  question->kind = RequestKind::kRead;
  question->primary_only = false;
  question->sink = this;
  question->session = waiter->request->session;
  question->database = waiter->request->database;
  question->tried = 0;
  return question;
}

void BlockedClients::Send(std::unique_ptr<Question> question) {
  question->block = question->asked.block;
  question->frame = question->asked.frame;
  if (question->waiter != nullptr) {
    question->waiter->question = question.get();
    if (const Line* line = question->line(); line != nullptr) question->writes = line->writes;
  }
  parts_->hold->Submit(question.release());
}

void BlockedClients::Ask(Waiter* waiter, std::string_view key_name) {
  const Request& client = *waiter->request;
  const CommandRow& row = *client.row;
  waiter->asking = true;
  waiter->again.clear();
  std::unique_ptr<Question> question = NewQuestion(waiter);
  SplitFrame(client.frame, &args_);
  question->asked.frame = AskLastIds(row, args_);
  if (!question->asked.frame.empty()) {
    question->about = Question::About::kLastIds;
    question->asked.block = true;
    question->row = parts_->table->FindByName("xinfo|stream");
    Send(std::move(question));
    return;
  }
  question->key = key_name;
  question->asked = AskAtOnce(row, args_, key_name.empty() ? key_name : KeyOf(question->key));
  const SecondCopy second = SecondCopyFor(row, args_);
  question->kind = second == SecondCopy::kNone ? RequestKind::kRead
                   : OneCopyFirst(second)      ? RequestKind::kFirstWrite
                                               : RequestKind::kWrite;
  question->row = question->asked.block ? client.row : parts_->table->FindByName(row.at_once);
  Send(std::move(question));
}

void BlockedClients::OnReply(Request* request, const Reply& reply) {
  std::unique_ptr<Question> question(static_cast<Question*>(request));
  if (Waiter* waiter = question->waiter; waiter != nullptr) {
    waiter->asking = false;
    waiter->question = nullptr;
    switch (question->about) {
      case Question::About::kItself:
        OnAnswer(question.get(), reply.bytes);
        break;
      case Question::About::kLastIds:
        OnLastIds(waiter, reply.bytes);
        break;
      case Question::About::kType:
        OnType(waiter, question->key, reply.bytes);
        break;
    }
  }
  question->extra.reset();
  if (spare_.size() < kSpare) spare_.push_back(std::move(question));
}

void BlockedClients::OnLastIds(Waiter* waiter, std::string_view reply) {
  std::string command;
  SplitFrame(waiter->request->frame, &args_);
  if (!PutLastIds(*waiter->request->row, args_, reply, &command)) {
    Leave(waiter, command);
    return;
  }
  RequestExtra& extra = *waiter->request->extra;
  extra.owned.Clear();
  extra.owned.Append(command);
  waiter->request->frame = extra.owned.view();
  OnNothing(waiter);
}

void BlockedClients::AskType(Waiter* waiter, const std::string& key) {
  std::unique_ptr<Question> question = NewQuestion(waiter);
  waiter->asking = true;
  question->about = Question::About::kType;
  question->key = key;
  SplitFrame(waiter->request->frame, &args_);
  question->asked.block = waiter->request->row->blocking == Blocking::kTimeoutLast;
  question->asked.frame =
      question->asked.block ? AskTypes(args_) : CommandFrame({"TYPE", KeyOf(key)});
  question->row = parts_->table->FindByName("type");
  Send(std::move(question));
}

// The stream is gone, or its group is; or there is a list, and where it was to go is none.
void BlockedClients::OnType(Waiter* waiter, const std::string& key, std::string_view reply) {
  const bool of_stream = waiter->request->row->blocking == Blocking::kOption;
  if (of_stream) {
    Leave(waiter,
          reply.starts_with("+stream")
              ? "-NOGROUP the consumer group this client was blocked on no longer exists\r\n"
              : "-UNBLOCKED the stream key no longer exists\r\n");
  } else if (DestinationWasWrong(reply)) {
    LeaveToOthers(waiter, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
                  {key});
  } else {
    OnNothing(waiter);
  }
}

void BlockedClients::OnAnswer(Question* question, std::string_view reply) {
  Waiter* waiter = question->waiter;
  const std::string key = question->key;
  const CommandRow& row = *waiter->request->row;
  const bool of_group = waiter->of_stream() && row.IsWrite();
  const bool moves = row.blocking == Blocking::kTimeoutLast && row.put_back.empty();
  const std::string answer = ReadAtOnce(question->asked, reply);
  const bool wrong_type = answer.starts_with("-WRONGTYPE");
  if (waiter->in_line &&
      ((wrong_type && (of_group || moves)) || (of_group && answer.starts_with("-NOGROUP")))) {
    AskType(waiter, key.empty() ? waiter->places[0].line->key : key);
    return;
  }
  if (answer.empty() || (waiter->in_line && wrong_type)) {
    OnNoneOfIts(question, wrong_type);
    return;
  }
  const bool error = answer[0] == '-';
  Line* line = question->line();
  if (line != nullptr) {
    if (error) line->Doubt();
    if (!error && question->writes == line->writes) line->is = row.elements;
  }
  if (error && waiter->in_line && !IsUnknown(answer)) {
    const uint64_t then_ms = parts_->env->NowMs() + kLaterMs;
    AddKey(key, &waiter->again);
    for (auto& each : std::exchange(waiter->again, {})) later_.emplace_back(then_ms, each);
    EndIfDue(waiter);
    return;
  }
  std::vector<std::string> keys;
  if (line != nullptr && line->more && !key.empty()) keys.push_back(key);
  Waiter* taker = error ? waiter : TakerOf(*question);
  if (taker == nullptr) {
    // Nobody else wants it in that way; in another somebody may.
    Return(waiter, answer);
    AddKey(key, &keys);
    LeaveToOthers(waiter, kBlockedIsGone, std::move(keys));
    return;
  }
  // What the taker is still asked for is for who has given way.
  if (taker != waiter && taker->asking) {
    waiter->asking = true;
    waiter->question = taker->question;
    waiter->question->waiter = waiter;
    for (const std::string& written : std::exchange(taker->again, {})) {
      AddKey(written, &waiter->again);
    }
  } else if (taker != waiter) {
    for (const std::string& written : std::exchange(waiter->again, {})) AddKey(written, &keys);
    EndIfDue(waiter);
  }
  LeaveToOthers(taker, answer, std::move(keys));
}

// There is nothing, or it is something else: somebody may wait for that.
void BlockedClients::OnNoneOfIts(Question* question, bool wrong_type) {
  Waiter* waiter = question->waiter;
  Line* line = question->line();
  if (line == nullptr || !wrong_type) {
    // One that was on its way before a write says nothing of what that has brought.
    if (line != nullptr && question->writes == line->writes) {
      line->empty = true;
      line->more = false;
    }
    OnNothing(waiter);
    return;
  }
  line->empty = false;
  if (question->writes == line->writes) line->is_not |= BitOf(waiter->request->row->elements);
  const std::string key = line->key;
  OnNothing(waiter);
  const auto rest = lines_.find(key);
  if (rest != lines_.end() && rest->second.more) WakeNext(&rest->second);
}

void BlockedClients::OnNothing(Waiter* waiter) {
  waiter->in_line = true;
  waiter->request->Extra().note.waits = true;
  if (!waiter->end.empty() && !waiter->asking) {
    LeaveToOthers(waiter, std::string(waiter->end), {});
  } else if (!waiter->again.empty() && waiter->end.empty()) {
    // Whoever is first in line, and that need not be this one; by the keys as they were written.
    const auto ticket = waiter->ticket;
    for (const std::string& written : std::exchange(waiter->again, {})) {
      const auto line = lines_.find(written);
      if (ticket->waiter == nullptr) break;  // an answer that came at once has ended it
      if (waiter->asking) {
        AddKey(written, &waiter->again);
      } else if (line != lines_.end()) {
        WakeNext(&line->second);
      }
    }
  }
}

// One that has waited longer, was not asked for and would have taken it in the same way.
BlockedClients::Waiter* BlockedClients::TakerOf(const Question& question) const {
  Waiter* own = question.waiter;
  const auto line = lines_.find(question.key);
  if (line == lines_.end() || own->request->row->blocking == Blocking::kOption) {
    return own->gone ? nullptr : own;
  }
  for (Place* place = line->second.first; place != nullptr; place = place->behind) {
    Waiter* each = place->waiter;
    const Question* its = each->question;
    const bool same = !each->asking || (its != nullptr && its->about == Question::About::kItself &&
                                        its->key == question.key);
    if (each->gone || !same) continue;
    if (each == own || Alike(*each, *own)) return each;
  }
  return nullptr;
}

bool BlockedClients::Alike(const Waiter& a, const Waiter& b) const {
  if (a.request->row != b.request->row) return false;
  SplitFrame(a.request->frame, &args_);
  SplitFrame(b.request->frame, &others_);
  return WaitAlike(*a.request->row, args_, others_);
}

// `keys`, and what it would have been asked for again, are for those behind it.
void BlockedClients::LeaveToOthers(Waiter* waiter, std::string_view reply,
                                   std::vector<std::string> keys) {
  for (const std::string& key : std::exchange(waiter->again, {})) AddKey(key, &keys);
  Leave(waiter, reply);
  for (const std::string& key : keys) {
    const auto line = lines_.find(key);
    if (line != lines_.end()) WakeNext(&line->second);
  }
}

void BlockedClients::EndIfDue(Waiter* waiter) {
  if (waiter->asking || waiter->end.empty()) return;
  Leave(waiter, std::string(waiter->end));
}

void BlockedClients::Return(Waiter* waiter, std::string_view reply) {
  SplitFrame(waiter->request->frame, &args_);
  std::string frame = PutBack(*waiter->request->row, args_, reply);
  if (frame.empty()) return;
  ++returned_;
  std::unique_ptr<Question> question = NewQuestion(waiter);
  question->waiter = nullptr;
  question->asked.frame = std::move(frame);
  question->kind = RequestKind::kWrite;
  question->row = parts_->table->FindByName(waiter->request->row->put_back);
  for (const Place& place : waiter->places) place.line->Doubt();
  Send(std::move(question));
}

std::unique_ptr<BlockedClients::Waiter> BlockedClients::Unlink(Waiter* waiter) {
  auto owned = waiters_.extract(waiter);
  std::unique_ptr<Waiter> left = std::move(owned.mapped());
  for (Place& place : left->places) {
    Line* line = place.line;
    line->Leave(&place);
    if (line->first == nullptr) {
      const std::string key = line->key;
      lines_.erase(key);
    }
  }
  if (left->has_deadline) deadlines_.erase(left->deadline);
  left->ticket->waiter = nullptr;
  waiting_.Set(waiters_.size());
  return left;
}

void BlockedClients::Leave(Waiter* waiter, std::string_view reply) {
  const std::unique_ptr<Waiter> left = Unlink(waiter);
  left->request->sink->OnReply(left->request, Reply{reply, nullptr});
}

void BlockedClients::Tick(uint64_t now_ms) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms) {
    Waiter* waiter = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    waiter->has_deadline = false;
    waiter->end = kBlockedForNothing;
    EndIfDue(waiter);
  }
  if (!deadlines_.empty()) parts_->env->UnblockAt(deadlines_.begin()->first);
  while (!later_.empty() && later_.front().first <= now_ms) {
    ready_.push_back({later_.front().second, 1, true});
    later_.erase(later_.begin());
  }
  if (!ready_.empty()) Serve();
}

}  // namespace gemel
