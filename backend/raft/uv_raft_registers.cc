#include "backend/raft/uv_raft_registers.h"

#include <algorithm>
#include <random>
#include <set>

#include "backend/raft/raft_names.h"

namespace gemel {

namespace {

constexpr uint64_t kRaftTickMs = 5;
constexpr uint64_t kRedialMs = 50;

uint64_t RandomClient() {
  std::random_device random;
  return static_cast<uint64_t>(random()) << 32 | random();
}

}  // namespace

UvRaftRegisters::UvRaftRegisters(uv_loop_t* loop, Options options, std::unique_ptr<UvRaftNode> node,
                                 const std::string& own)
    : loop_(loop),
      options_(std::move(options)),
      own_(own),
      node_(std::move(node)),
      questions_({options_.voters, RandomClient(), options_.time_limit_ms},
                 [this](size_t voter, const RaftAsk& ask) { return Send(voter, ask); }),
      standings_(options_.voters),
      tick_(loop, [this] { OnTick(); }),
      finish_(loop, [this] { Finish(); }) {
  for (const std::string& voter : options_.voters) voters_.push_back({.address = voter});
  if (node_ != nullptr) {
    node_->set_on_change([this] {
      RaftAnswer changed;
      changed.kind = RaftAnswer::Kind::kChanged;
      for (size_t i = 0; i < voters_.size(); ++i) {
        if (IsOwn(i)) own_answers_.emplace_back(i, changed);
      }
      FinishSoon();
    });
  }
  for (size_t i = 0; i < voters_.size(); ++i) SetVotes(i, true);
  tick_.Set(kRaftTickMs);
}

UvRaftRegisters::~UvRaftRegisters() = default;

// The loop's time of now: a turn may have taken long.
uint64_t UvRaftRegisters::NowMs() const { return uv_hrtime() / 1000000; }

bool UvRaftRegisters::Send(size_t voter, const RaftAsk& ask) {
  if (!voters_[voter].votes) return false;
  if (!IsOwn(voter)) {
    UvRaftLine* line = voters_[voter].line.get();
    return line != nullptr && line->Send(ask.Encode());
  }
  node_->Ask(ask, [this, voter](const RaftAnswer& answer) {
    own_answers_.emplace_back(voter, answer);
    FinishSoon();
  });
  return true;
}

void UvRaftRegisters::Dial(size_t voter) {
  std::string error;
  const std::string address = voters_[voter].address;
  voters_[voter].line = std::make_unique<UvRaftLine>(
      loop_, PeerHandshake::Side::kDials,
      PeerHandshake::Names{RaftFleet(options_.fleet), RaftGuestName(options_.member),
                           RaftVoterName(address)},
      options_.secret, options_.tls,
      UvRaftLine::Calls{[this, voter](const std::string&) {
                          questions_.OnLine(voter, NowMs());
                          FinishSoon();
                        },
                        [this, voter](std::string_view frame) { OnFrame(voter, frame); },
                        [this, voter](const std::string& why) {
                          voters_[voter].line.reset();
                          voters_[voter].retry_ms = NowMs() + kRedialMs;
                          standings_.OnLost(voter);
                          questions_.OnLost(voter, why, NowMs());
                          FinishSoon();
                        }});
  voters_[voter].line->Dial(ParseAddress(address, &error).value_or(Address()));
}

void UvRaftRegisters::OnFrame(size_t voter, std::string_view frame) {
  const std::optional<RaftAnswer> answer = RaftAnswer::Decode(frame);
  if (!answer) return;
  OnAnswer(voter, *answer);
  FinishSoon();
}

void UvRaftRegisters::OnAnswer(size_t voter, const RaftAnswer& answer) {
  if (answer.kind == RaftAnswer::Kind::kStanding) {
    standings_.OnAnswer(voter, answer, NowMs());
    Learn(answer);
  } else {
    questions_.OnAnswer(voter, answer, NowMs());
  }
}

void UvRaftRegisters::SetVotes(size_t voter, bool votes) {
  voters_[voter].votes = votes;
  standings_.SetVotes(voter, votes);
  if (!votes) {
    voters_[voter].line.reset();
    questions_.OnLost(voter, voters_[voter].address + " votes no more", NowMs());
  } else if (IsOwn(voter)) {
    questions_.OnLine(voter, NowMs());
  } else {
    Dial(voter);
  }
}

void UvRaftRegisters::Learn(const RaftAnswer& standing) {
  if (standing.values.empty() || standing.version <= learned_) return;
  learned_ = standing.version;
  std::set<std::string> agreed;
  for (const NamedRegister& each : standing.values) agreed.insert(each.name);
  for (size_t i = 0; i < voters_.size(); ++i) {
    const bool votes = agreed.erase(voters_[i].address) > 0;
    if (votes != voters_[i].votes) SetVotes(i, votes);
  }
  for (const std::string& address : agreed) {
    voters_.push_back({.address = address});
    questions_.AddVoter(address);
    standings_.Add(address);
    SetVotes(voters_.size() - 1, true);
  }
}

void UvRaftRegisters::ChangeServers(bool add, const std::string& server) {
  change_ = server + (add ? " is being added" : " is being removed");
  questions_.Change(
      add, server,
      [this, add, server](const std::string& error) {
        change_ = error.empty()
                      ? server + (add ? " was added" : " was removed")
                      : server + (add ? " was not added: " : " was not removed: ") + error;
      },
      NowMs());
}

void UvRaftRegisters::AskStandings(uint64_t now_ms) {
  if (now_ms < standings_ms_) return;
  standings_ms_ = now_ms + RaftStandings::kPaceMs;
  RaftAsk ask;
  ask.kind = RaftAsk::Kind::kStanding;
  for (size_t i = 0; i < voters_.size(); ++i) Send(i, ask);
}

void UvRaftRegisters::OnTick() {
  tick_.Set(kRaftTickMs);
  const uint64_t now_ms = NowMs();
  for (size_t i = 0; i < voters_.size(); ++i) {
    Voter& voter = voters_[i];
    if (voter.votes && !IsOwn(i) && voter.line == nullptr && now_ms >= voter.retry_ms) Dial(i);
  }
  AskStandings(now_ms);
  questions_.Tick(now_ms);
  Finish();
}

void UvRaftRegisters::Finish() {
  while (!own_answers_.empty()) {
    const auto [voter, answer] = std::move(own_answers_.front());
    own_answers_.pop_front();
    OnAnswer(voter, answer);
  }
  const std::weak_ptr<bool> alive = alive_;
  for (const RaftQuestions::Task& task : questions_.TakeFinished()) {
    task();
    if (alive.expired()) return;
  }
  if (!questions_.TakeChanged() || !on_change_) return;
  const std::function<void()> on_change = on_change_;
  on_change();
}

void UvRaftRegisters::Read(const std::string& name, ReadDone done) {
  questions_.Read(name, std::move(done), NowMs());
}

void UvRaftRegisters::ListSince(const std::string& prefix, uint64_t since, ListDone done) {
  questions_.List(prefix, since, std::move(done), NowMs());
}

void UvRaftRegisters::Write(const std::string& name, uint64_t expected, const std::string& text,
                            WriteDone done) {
  questions_.Write(name, expected, text, std::move(done), NowMs());
}

void UvRaftRegisters::set_on_change(std::function<void()> on_change) {
  on_change_ = std::move(on_change);
}

std::string UvRaftRegisters::place() const {
  std::string all;
  for (const Voter& voter : voters_) {
    if (voter.votes) all += (all.empty() ? "" : ", ") + voter.address;
  }
  return "raft at " + all;
}

std::string UvRaftRegisters::trouble() const { return questions_.trouble(); }

EngineStatus UvRaftRegisters::Status() const {
  EngineStatus status = standings_.Status(NowMs());
  status.answer_ms = questions_.answer_ms();
  status.change = change_;
  return status;
}

}  // namespace gemel
