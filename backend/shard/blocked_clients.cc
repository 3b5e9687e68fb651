#include "backend/shard/blocked_clients.h"

#include <algorithm>
#include <bitset>

#include "backend/command/other_database.h"
#include "backend/command/second_copy.h"
#include "backend/keys/key_name.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/shard_roles.h"

namespace gemel {

namespace {

constexpr uint64_t kLaterMs = 100;  // what could not be asked is asked again
constexpr size_t kSpare = 64;
constexpr std::string_view kNull = "_\r\n";
const std::string kByClient = "-" + std::string(kUnblockedByClient) + "\r\n";
constexpr std::string_view kGone = "-ERR the client is gone\r\n";

// Nobody knows whether it was carried out.
bool IsUnknown(std::string_view error) {
  return error.find("may or may not") != std::string_view::npos;
}

std::string_view TextOf(UnblockCargo::Why why) {
  switch (why) {
    case UnblockCargo::Why::kTimeout:
      return kNull;
    case UnblockCargo::Why::kError:
      return kByClient;
    case UnblockCargo::Why::kStopping:
      return "-UNBLOCKED force unblock from blocking operation: gemel is being stopped\r\n";
    case UnblockCargo::Why::kGone:
      break;
  }
  return kGone;
}

// 1 or 0.
uint32_t OfStreams(const Request& request) {
  return request.row->blocking == Blocking::kOption ? 1 : 0;
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
    place.before = line->second.last;
    (place.before != nullptr ? place.before->behind : line->second.first) = &place;
    line->second.last = &place;
    line->second.of_streams += OfStreams(*request);
  }
  if (cargo.timeout_ms != 0) {
    const uint64_t at_ms = parts_->env->NowMs() + cargo.timeout_ms;
    waiter->deadline = deadlines_.emplace(at_ms, waiter);
    waiter->has_deadline = true;
    if (waiter->deadline == deadlines_.begin()) parts_->env->UnblockAt(at_ms);
  }
  waiting_.Set(waiters_.size());
  Ask(waiter, {});
}

void BlockedClients::Unblock(Request* request) {
  const auto& cargo = static_cast<const UnblockCargo&>(*request->extra->cargo);
  if (auto* waiter = static_cast<Waiter*>(cargo.ticket->waiter); waiter != nullptr) {
    waiter->gone |= cargo.why == UnblockCargo::Why::kGone;
    if (waiter->end.empty()) waiter->end = TextOf(cargo.why);
    EndIfDue(waiter);
  }
  request->sink->OnReply(request, Reply{"+OK\r\n", nullptr});
}

// What a question of our own took brings nothing; where it put it may be waited for.
void BlockedClients::OnWrite(const Request& request) {
  const bool own = request.sink == this;
  frame_.Look(request);
  frame_.ForEachCommand(request.row, request.database, [&](const FrameKeys::Command& command) {
    if (command.row != nullptr && command.MayWrite()) OnCommand(command, own);
  });
}

void BlockedClients::OnCommand(const FrameKeys::Command& command, bool own) {
  const CommandRow& row = *command.row;
  if (command.begin == command.end) {
    // A stream that is gone is news for who waits for what a group of it gets.
    for (const auto& [key, line] : lines_) {
      if (row.arg_rule == ArgRule::kFlushAll || DatabaseOf(key) == command.database) {
        ready_.push_back({key, 0, false});
      }
    }
  }
  if (SwapsDatabases(row)) {
    std::bitset<kMostDatabases> databases;
    for (const std::string_view arg : command.args.subspan(1)) {
      int64_t index = 0;
      if (ParseInteger(arg, &index) && index >= 0 && index < int64_t{kMostDatabases}) {
        databases.set(static_cast<size_t>(index));
      }
    }
    for (const auto& [key, line] : lines_) {
      if (databases[DatabaseOf(key)]) ready_.push_back({key, 1, true});
    }
    return;
  }
  const WrittenKeys written = row.written;
  // How many may be served by what it brings is known of a command of one key alone.
  const bool several = command.end - command.begin > 1 || frame_.is_block() || row.RunsCode();
  uint32_t begin = written == WrittenKeys::kLast ? command.end - 1 : command.begin;
  const uint32_t end = written == WrittenKeys::kFirst ? command.begin + 1 : command.end;
  if (own) begin = row.put_back.empty() && command.end - command.begin == 2 ? end - 1 : end;
  for (uint32_t i = begin; i < end; ++i) {
    const auto line = lines_.find(frame_.key(i));
    if (line == lines_.end()) continue;
    const size_t count = several || command.args.size() < 3 ? 1 : command.args.size() - 2;
    ready_.push_back({line->first, count, several});
  }
}

void BlockedClients::Serve() {
  if (serving_) return;
  serving_ = true;
  for (size_t i = 0; i < ready_.size(); ++i) {
    const Ready ready = std::move(ready_[i]);
    const auto line = lines_.find(ready.key);
    if (line == lines_.end()) continue;
    line->second.more |= ready.more;
    Wake(&line->second, ready.count, /*of_write=*/true);
  }
  ready_.clear();
  serving_ = false;
}

// Whoever takes nothing away is asked for, however many they are; of those who wait alike, so many
// as there may be something for.
void BlockedClients::Wake(Line* line, size_t count, bool of_write) {
  const std::string key = line->key;
  std::vector<Waiter*> chosen;
  const auto served = [&](const Waiter& waiter) {
    return std::any_of(chosen.begin(), chosen.end(),
                       [&](const Waiter* other) { return Alike(waiter, *other); });
  };
  for (Place* place = line->first; place != nullptr; place = place->behind) {
    if (count == 0 && line->of_streams == 0) break;
    Waiter* waiter = place->waiter;
    const CommandRow& row = *waiter->request->row;
    const bool of_stream = row.blocking == Blocking::kOption;
    if (waiter->asking) {
      if (of_write) AddKey(key, &waiter->again);
      continue;
    }
    if (of_stream ? row.IsWrite() && served(*waiter) : count == 0) continue;
    if (!of_stream) --count;
    chosen.push_back(waiter);
    waiter->asking = true;  // so that no answer ends it meanwhile
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
  question->asked = {};
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
  if (question->waiter != nullptr) question->waiter->question = question.get();
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
  OnNothing(waiter, {});
}

void BlockedClients::AskType(Waiter* waiter, const std::string& key) {
  std::unique_ptr<Question> question = NewQuestion(waiter);
  waiter->asking = true;
  question->about = Question::About::kType;
  question->key = key;
  question->asked.frame = CommandFrame({"TYPE", KeyOf(key)});
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
  } else if (reply.starts_with("+list")) {
    Leave(waiter, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
  } else {
    OnNothing(waiter, key);
  }
}

void BlockedClients::OnAnswer(Question* question, std::string_view reply) {
  Waiter* waiter = question->waiter;
  const std::string key = question->key;
  const bool first = !waiter->in_line;
  const CommandRow& row = *waiter->request->row;
  const bool of_group = row.blocking == Blocking::kOption && row.IsWrite();
  const bool moves = row.blocking == Blocking::kTimeoutLast && row.put_back.empty();
  const std::string answer = ReadAtOnce(question->asked, reply);
  const bool wrong_type = answer.starts_with("-WRONGTYPE");
  if (!first &&
      ((wrong_type && (of_group || moves)) || (of_group && answer.starts_with("-NOGROUP")))) {
    AskType(waiter, key.empty() ? waiter->places[0].line->key : key);
    return;
  }
  if (answer.empty() || (!first && wrong_type)) {
    OnNothing(waiter, key);
    return;
  }
  const bool error = answer[0] == '-';
  if (error && !first && !IsUnknown(answer)) {
    later_.emplace_back(parts_->env->NowMs() + kLaterMs, key);
    EndIfDue(waiter);
    return;
  }
  Waiter* taker = error ? waiter : TakerOf(*question);
  if (taker == nullptr) {
    Return(waiter, answer);
    Leave(waiter, kGone);
  } else {
    // What the taker is still asked for is for who has given way.
    if (taker != waiter && taker->asking) {
      waiter->asking = true;
      for (const std::string& written : taker->again) AddKey(written, &waiter->again);
      waiter->question = taker->question;
      waiter->question->waiter = waiter;
    }
    Leave(taker, answer);
    if (taker != waiter) EndIfDue(waiter);
  }
  const auto line = lines_.find(key);
  if (line != lines_.end() && line->second.more) {
    Wake(&line->second, 1, /*of_write=*/false);
  }
}

void BlockedClients::OnNothing(Waiter* waiter, const std::string& key) {
  waiter->in_line = true;
  if (const auto line = lines_.find(key); line != lines_.end()) line->second.more = false;
  if (!waiter->end.empty()) {
    EndIfDue(waiter);
  } else if (!waiter->again.empty()) {
    // Whoever is first in line, and that need not be this one; by the keys as they were written.
    const auto ticket = waiter->ticket;
    for (const std::string& written : std::exchange(waiter->again, {})) {
      const auto line = lines_.find(written);
      if (ticket->waiter == nullptr) break;  // an answer that came at once has ended it
      if (waiter->asking) {
        AddKey(written, &waiter->again);
      } else if (line != lines_.end()) {
        Wake(&line->second, 1, /*of_write=*/false);
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
    const bool same = !each->asking || (each->question->about == Question::About::kItself &&
                                        each->question->key == question.key);
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

void BlockedClients::EndIfDue(Waiter* waiter) {
  if (waiter->asking || waiter->end.empty()) return;
  const std::string end = waiter->end;
  Leave(waiter, end);
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
  Send(std::move(question));
}

void BlockedClients::Leave(Waiter* waiter, std::string_view reply) {
  const auto owned = waiters_.extract(waiter);
  const std::unique_ptr<Waiter>& left = owned.mapped();
  for (Place& place : left->places) {
    Line* line = place.line;
    (place.before != nullptr ? place.before->behind : line->first) = place.behind;
    (place.behind != nullptr ? place.behind->before : line->last) = place.before;
    line->of_streams -= OfStreams(*left->request);
    if (line->first == nullptr) {
      const std::string key = line->key;
      lines_.erase(key);
    }
  }
  if (left->has_deadline) deadlines_.erase(left->deadline);
  left->ticket->waiter = nullptr;
  waiting_.Set(waiters_.size());
  left->request->sink->OnReply(left->request, Reply{reply, nullptr});
}

void BlockedClients::Tick(uint64_t now_ms) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms) {
    Waiter* waiter = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    waiter->has_deadline = false;
    waiter->end = kNull;
    EndIfDue(waiter);
  }
  if (!deadlines_.empty()) parts_->env->UnblockAt(deadlines_.begin()->first);
  while (!later_.empty() && later_.front().first <= now_ms) {
    ready_.push_back({later_.front().second, 1, true});
    later_.erase(later_.begin());
  }
  if (!ready_.empty()) Serve();
}

void BlockedClients::OnMoved(const std::function<bool(std::string_view)>& is_moved) {
  EndAll(is_moved,
         "-UNBLOCKED force unblock from blocking operation: a change of the config gave the key to "
         "another shard\r\n");
}

void BlockedClients::Stop() {
  EndAll([](std::string_view) { return true; },
         "-UNBLOCKED force unblock from blocking operation: the shard is being stopped\r\n");
}

void BlockedClients::EndAll(const std::function<bool(std::string_view)>& which,
                            std::string_view text) {
  std::vector<Waiter*> ended;
  for (const auto& [key, line] : lines_) {
    if (!which(KeyOf(key))) continue;
    for (Place* place = line.first; place != nullptr; place = place->behind) {
      Waiter* waiter = place->waiter;
      if (waiter->end.empty()) ended.push_back(waiter);
      waiter->end = text;
    }
  }
  // One may be gone by the answer to another: it is known by its ticket.
  std::vector<std::shared_ptr<BlockTicket>> tickets;
  for (const Waiter* waiter : ended) tickets.push_back(waiter->ticket);
  for (const auto& ticket : tickets) {
    if (ticket->waiter != nullptr) EndIfDue(static_cast<Waiter*>(ticket->waiter));
  }
}

}  // namespace gemel
