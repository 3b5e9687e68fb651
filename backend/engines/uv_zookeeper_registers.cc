#include "backend/engines/uv_zookeeper_registers.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "backend/engines/znode_names.h"
#include "backend/uv/uv_clock.h"

namespace gemel {

namespace {

constexpr uint64_t kAgainMs = 20;

// It may have been done, or will be: the connection or the session ended.
bool IsLoss(int result) {
  if (result == ZBADARGUMENTS || result == ZOK) return false;
  return result > ZAPIERROR || result == ZSESSIONEXPIRED || result == ZCLOSING ||
         result == ZSESSIONMOVED || result == ZNOTREADONLY || result == ZTHROTTLEDOP;
}

// Answers of the server that are none of those are refusals.
bool IsAnswer(int result) {
  return result == ZOK || result == ZNONODE || result == ZNODEEXISTS || result == ZBADVERSION;
}

uint64_t VersionOf(const Stat& stat) { return static_cast<uint64_t>(stat.version) + 1; }

}  // namespace

struct UvZookeeperRegisters::Reply {
  UvZookeeperRegisters* self;
  uint64_t id;
  uint64_t trial;
  std::string name = {};  // of the register, of a list
  zoo_op_t op = {};
  zoo_op_result_t result = {};
};

// What the client calls. Each frees the reply that it gets.
struct UvZookeeperRegisters::Callbacks {
  static std::unique_ptr<Reply> Take(const void* reply) {
    return std::unique_ptr<Reply>(static_cast<Reply*>(const_cast<void*>(reply)));
  }

  static void OnFence(int result, const void* data) {
    const std::unique_ptr<Reply> reply = Take(data);
    // If it was lost or refused, what was asked behind it is of no use.
    reply->self->Answered(*reply, result);
  }

  static void OnText(int result, const char* text, int length, const Stat* stat, const void* data) {
    const std::unique_ptr<Reply> reply = Take(data);
    Question* question = reply->self->Answered(*reply, result);
    if (question == nullptr) return;
    RegisterValue value;
    if (result == ZOK) {
      value = {std::string(text, length > 0 ? static_cast<size_t>(length) : 0), VersionOf(*stat)};
    }
    if (question->read) {
      reply->self->AnswerRead(reply->id, std::move(value));
      return;
    }
    if (result == ZOK) question->found.push_back({reply->name, std::move(value)});
    if (--question->missing == 0) reply->self->AnswerList(reply->id);
  }

  static void OnNames(int result, const String_vector* names, const void* data) {
    const std::unique_ptr<Reply> reply = Take(data);
    Question* question = reply->self->Answered(*reply, result);
    if (question == nullptr) return;
    if (result == ZOK) {
      reply->self->OnListed(reply->id, question, *names);
    } else {
      reply->self->AnswerList(reply->id);
    }
  }

  static void OnCreated(int result, const char*, const void* data) {
    const std::unique_ptr<Reply> reply = Take(data);
    Question* question = reply->self->Answered(*reply, result);
    if (question == nullptr) return;
    if (result == ZOK) {
      reply->self->AnswerWrite(reply->id, RegisterOutcome::kDone, 1);
    } else {
      reply->self->OnWriteFailure(reply->id, question, result);
    }
  }

  static void OnSet(int result, const Stat* stat, const void* data) {
    const std::unique_ptr<Reply> reply = Take(data);
    Question* question = reply->self->Answered(*reply, result);
    if (question == nullptr) return;
    if (result == ZOK) {
      reply->self->AnswerWrite(reply->id, RegisterOutcome::kDone, VersionOf(*stat));
    } else {
      reply->self->OnWriteFailure(reply->id, question, result);
    }
  }

  // The write was refused already: that is known even if this answer is lost.
  static void OnLookedUp(int result, const Stat* stat, const void* data) {
    const std::unique_ptr<Reply> reply = Take(data);
    reply->self->AnswerWrite(reply->id, RegisterOutcome::kConflict,
                             result == ZOK ? VersionOf(*stat) : 0);
  }

  static void OnParent(int, const char*, const void*) {}
};

UvZookeeperRegisters::UvZookeeperRegisters(uv_loop_t* loop, EngineOptions options, std::string path)
    : loop_(loop),
      time_limit_ms_(options.time_limit_ms),
      path_(std::move(path)),
      with_user_(!options.user.empty()),
      turn_(loop, [this] { Turn(); }),
      deadline_(loop, [this] { OnDeadline(); }),
      watch_(path_, [this] { changed_ = true; }),
      session_(loop, {options.servers, options.user, options.password, options.time_limit_ms},
               {[this] {
                  if (on_change_) watch_.Begin(session_.handle());
                  SendAll();
                },
                [this] { watch_.Forget(); }, [this] { Give(); }}) {}

UvZookeeperRegisters::~UvZookeeperRegisters() {
  alive_.End();
  questions_.clear();
  watch_.Forget();
}

uint64_t UvZookeeperRegisters::NowMs() const { return UvClock::NowMs(loop_); }

std::string UvZookeeperRegisters::PathOf(const std::string& name) const {
  return path_ + "/" + ZnodeName(name);
}

EngineStatus UvZookeeperRegisters::Status() const {
  EngineStatus status;
  status.answer_ms = answer_ms_;
  for (const std::string& name : session_.servers()) {
    EngineStatus::Server& server = status.servers.emplace_back();
    server.name = name;
    if (name != session_.server()) continue;
    server.contact =
        session_.connected() ? EngineStatus::Contact::kReached : EngineStatus::Contact::kNot;
  }
  return status;
}

// --- what is asked ---

void UvZookeeperRegisters::Read(const std::string& name, ReadDone done) {
  Question question;
  question.name = name;
  question.read = std::move(done);
  Ask(std::move(question));
}

void UvZookeeperRegisters::List(const std::string& prefix, ListDone done) {
  Question question;
  question.name = prefix;
  question.list = std::move(done);
  Ask(std::move(question));
}

void UvZookeeperRegisters::Write(const std::string& name, uint64_t expected,
                                 const std::string& text, WriteDone done) {
  Question question;
  question.name = name;
  question.expected = expected;
  question.text = text;
  question.write = std::move(done);
  Ask(std::move(question));
}

void UvZookeeperRegisters::Ask(Question question) {
  question.deadline_ms = NowMs() + time_limit_ms_;
  if (questions_.empty()) deadline_.Set(time_limit_ms_);
  questions_.emplace(++last_id_, std::move(question));
  turn_.Set(0);
}

void UvZookeeperRegisters::set_on_change(std::function<void()> on_change) {
  on_change_ = std::move(on_change);
  changed_ = false;
  turn_.Set(0);
}

void UvZookeeperRegisters::Turn() {
  if (session_.connected()) {
    if (on_change_ && !watch_.watching()) watch_.Begin(session_.handle());
    SendAll();
    session_.Flush();
  }
  Give();
}

void UvZookeeperRegisters::OnDeadline() {
  const uint64_t now_ms = NowMs();
  bool silent = false;
  while (!questions_.empty() && questions_.begin()->second.deadline_ms <= now_ms) {
    const auto& [id, question] = *questions_.begin();
    const uint64_t sent_ms = question.sent_ms;
    silent = silent || (sent_ms != 0 && heard_ms_ < sent_ms);
    trouble_ = place() + " did not answer in time";
    if (!session_.connected() && !session_.trouble().empty()) {
      trouble_ = place() + " cannot be reached: " + session_.trouble();
    }
    if (question.write && sent_ms != 0) {
      AnswerWrite(id, RegisterOutcome::kUnknown, 0);
    } else {
      Fail(id);
    }
  }
  if (!questions_.empty()) deadline_.Set(questions_.begin()->second.deadline_ms - now_ms);
  if (silent) session_.Renew();
  Give();
}

// --- what is sent ---

void UvZookeeperRegisters::SendAll() {
  std::vector<uint64_t> waiting;
  for (const auto& [id, question] : questions_) {
    if (question.sent_ms == 0) waiting.push_back(id);
  }
  for (const uint64_t id : waiting) Send(id, &questions_.at(id));
}

void UvZookeeperRegisters::Send(uint64_t id, Question* question) {
  question->sent_ms = std::max<uint64_t>(NowMs(), 1);
  question->trial = ++last_trial_;
  if (question->write) {
    SendWrite(id, question);
  } else {
    SendRead(id, question);
  }
}

void UvZookeeperRegisters::SendRead(uint64_t id, Question* question) {
  zhandle_t* to = session_.handle();
  question->found.clear();
  auto fence = std::make_unique<Reply>(Reply{this, id, question->trial});
  zoo_check_op_init(&fence->op, path_.c_str(), -1);
  const int fenced = zoo_amulti(to, 1, &fence->op, &fence->result, Callbacks::OnFence, fence.get());
  if (!Sent(fenced, std::move(fence))) return;
  // What is asked next is answered after it.
  auto reply = std::make_unique<Reply>(Reply{this, id, question->trial});
  const int result =
      question->read
          ? zoo_aget(to, PathOf(question->name).c_str(), 0, Callbacks::OnText, reply.get())
          : zoo_aget_children(to, path_.c_str(), 0, Callbacks::OnNames, reply.get());
  Sent(result, std::move(reply));
}

void UvZookeeperRegisters::OnListed(uint64_t id, Question* question, const String_vector& names) {
  std::vector<std::string> wanted;
  for (int32_t i = 0; i < names.count; ++i) {
    std::string name = RegisterName(names.data[i]);
    if (name.starts_with(question->name)) wanted.push_back(std::move(name));
  }
  question->missing = wanted.size();
  const uint64_t trial = question->trial;
  for (std::string& name : wanted) {
    const std::string path = PathOf(name);
    auto reply = std::make_unique<Reply>(Reply{this, id, trial, std::move(name)});
    const int result = zoo_aget(session_.handle(), path.c_str(), 0, Callbacks::OnText, reply.get());
    Sent(result, std::move(reply));
  }
  if (wanted.empty()) AnswerList(id);
}

void UvZookeeperRegisters::SendWrite(uint64_t id, Question* question) {
  // A version of ZooKeeper's has 31 bits, and -1 would be any.
  if (question->expected > std::numeric_limits<int32_t>::max()) {
    LookUp(id, *question);
    return;
  }
  auto reply = std::make_unique<Reply>(Reply{this, id, question->trial});
  const std::string path = PathOf(question->name);
  const int length = static_cast<int>(question->text.size());
  const ACL_vector* rights = with_user_ ? &ZOO_CREATOR_ALL_ACL : &ZOO_OPEN_ACL_UNSAFE;
  const int result =
      question->expected == 0
          ? zoo_acreate(session_.handle(), path.c_str(), question->text.data(), length, rights,
                        ZOO_PERSISTENT, Callbacks::OnCreated, reply.get())
          : zoo_aset(session_.handle(), path.c_str(), question->text.data(), length,
                     static_cast<int>(question->expected - 1), Callbacks::OnSet, reply.get());
  Sent(result, std::move(reply));
}

void UvZookeeperRegisters::MakeParents() {
  const std::vector<std::string> parents = ZnodeParents(path_);
  for (const std::string& parent : parents) {
    // Those above may be others' too.
    const bool own = parent == parents.back() && with_user_;
    zoo_acreate(session_.handle(), parent.c_str(), "", 0,
                own ? &ZOO_CREATOR_ALL_ACL : &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT,
                Callbacks::OnParent, nullptr);
  }
}

void UvZookeeperRegisters::LookUp(uint64_t id, const Question& question) {
  auto reply = std::make_unique<Reply>(Reply{this, id, question.trial});
  const int result = zoo_aexists(session_.handle(), PathOf(question.name).c_str(), 0,
                                 Callbacks::OnLookedUp, reply.get());
  if (result == ZOK) {
    reply.release();  // the client's, until it calls back
  } else {
    AnswerWrite(id, RegisterOutcome::kConflict, 0);
  }
}

bool UvZookeeperRegisters::Sent(int result, std::unique_ptr<Reply> reply) {
  if (result == ZOK) {
    reply.release();  // the client's, until it calls back
    return true;
  }
  const auto found = questions_.find(reply->id);
  if (found == questions_.end() || found->second.trial != reply->trial) return false;
  if (IsLoss(result)) {
    found->second.sent_ms = 0;  // nor will it be
    found->second.trial = 0;
  } else {
    Refuse(reply->id, result);
  }
  return false;
}

// --- what is answered ---

UvZookeeperRegisters::Question* UvZookeeperRegisters::Answered(const Reply& reply, int result) {
  if (!IsLoss(result)) heard_ms_ = std::max(heard_ms_, NowMs());
  const auto found = questions_.find(reply.id);
  if (found == questions_.end() || found->second.trial != reply.trial) return nullptr;
  if (IsLoss(result)) {
    Lost(reply.id, result);
    return nullptr;
  }
  if (!IsAnswer(result)) {
    Refuse(reply.id, result);
    return nullptr;
  }
  trouble_.clear();
  answer_ms_ = NowMs() - (found->second.deadline_ms - time_limit_ms_);
  return &found->second;
}

void UvZookeeperRegisters::OnWriteFailure(uint64_t id, Question* question, int result) {
  if (result != ZNONODE) {
    LookUp(id, *question);
  } else if (question->expected != 0) {
    AnswerWrite(id, RegisterOutcome::kConflict, 0);
  } else if (question->parents) {
    Refuse(id, result);  // somebody removes them
  } else {
    question->parents = true;
    MakeParents();
    SendWrite(id, question);
  }
}

void UvZookeeperRegisters::Lost(uint64_t id, int result) {
  Question& question = questions_.at(id);
  trouble_ = place() + " was lost: " + zerror(result);
  if (question.write && result != ZTHROTTLEDOP) {
    AnswerWrite(id, RegisterOutcome::kUnknown, 0);
    return;
  }
  // It is asked again when there is a connection.
  question.sent_ms = 0;
  question.trial = 0;
  turn_.Set(kAgainMs);
}

void UvZookeeperRegisters::Refuse(uint64_t id, int result) {
  trouble_ = place() + " refused: " + zerror(result);
  Fail(id);
}

void UvZookeeperRegisters::AnswerRead(uint64_t id, RegisterValue value) {
  Answer(id, [done = questions_.at(id).read, value = std::move(value)] {
    done(RegisterOutcome::kDone, value);
  });
}

void UvZookeeperRegisters::AnswerList(uint64_t id) {
  Question& question = questions_.at(id);
  std::sort(question.found.begin(), question.found.end(),
            [](const NamedRegister& a, const NamedRegister& b) { return a.name < b.name; });
  Answer(id, [done = question.list, found = std::move(question.found)] {
    done(RegisterOutcome::kDone, found);
  });
}

void UvZookeeperRegisters::AnswerWrite(uint64_t id, RegisterOutcome outcome, uint64_t version) {
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;
  Answer(id, [done = found->second.write, outcome, version] { done(outcome, version); });
}

void UvZookeeperRegisters::Fail(uint64_t id) {
  const Question& question = questions_.at(id);
  Answer(id, [read = question.read, list = question.list, write = question.write] {
    if (read) read(RegisterOutcome::kUnreachable, {});
    if (list) list(RegisterOutcome::kUnreachable, {});
    if (write) write(RegisterOutcome::kUnreachable, 0);
  });
}

void UvZookeeperRegisters::Answer(uint64_t id, std::function<void()> answer) {
  answers_.push_back(std::move(answer));
  questions_.erase(id);
}

void UvZookeeperRegisters::Give() {
  const Alive::Watch watch = alive_.watch();
  while (!answers_.empty()) {
    const std::function<void()> answer = std::move(answers_.front());
    answers_.pop_front();
    answer();
    if (watch.gone()) return;
  }
  if (!std::exchange(changed_, false)) return;
  const std::function<void()> on_change = on_change_;
  if (on_change) on_change();
}

}  // namespace gemel
