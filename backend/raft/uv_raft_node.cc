#include "backend/raft/uv_raft_node.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "backend/raft/raft_state.h"
#include "backend/raft/uv_raft_core.h"
#include "backend/raft/uv_raft_door.h"
#include "backend/raft/uv_raft_voters.h"
#include "backend/uv/uv_clock.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

namespace {

constexpr unsigned kEntriesPerSnapshot = 8;  // kept behind one, see README.md
constexpr size_t kSegmentBytes = 2 * 1024 * 1024;
constexpr size_t kErrorBytes = 512;
// Questions of one guest that are under way.
constexpr size_t kMostOfGuest = 4096;
constexpr uint64_t kWatchMs = 100;
// A disk that has taken nothing for so long, though it was given something, is stuck.
constexpr uint64_t kStuckMs = 2000;

struct CoreFree {
  void operator()(RaftCore* core) const { RaftCoreFree(core); }
};

}  // namespace

// Lives until libraft has closed, which may be after its node has gone.
class UvRaftNode::Core {
 public:
  Core(uv_loop_t* loop, Options options)
      : loop_(loop),
        options_(std::move(options)),
        door_(loop,
              {options_.fleet, options_.secret, options_.voter, options_.listen, options_.tls},
              {[this](const std::string& voter, uv_stream_t* stream) {
                 RaftCoreAccepted(raft_.get(), voter.c_str(), stream);
               },
               [this](uint64_t guest) { guests_[guest] = 0; },
               [this](uint64_t guest, std::string_view frame) { OnGuestFrame(guest, frame); },
               [this](uint64_t guest) { guests_.erase(guest); },
               [this](const std::string& why) { Warn(why); }}),
        tell_(loop, [this] { Tell(); }),
        watch_(loop, [this] { Watch(); }) {}

  bool Open(std::string* error);
  // Takes itself, and goes when it may.
  static void Close(std::unique_ptr<Core> self);

  void Ask(const RaftAsk& ask, Answered answered);
  void set_on_change(std::function<void()> on_change) { on_change_ = std::move(on_change); }
  bool leads() const { return failure_.empty() && RaftCoreLeads(raft_.get()); }
  uint64_t last_applied() const { return RaftCoreLastApplied(raft_.get()); }
  const std::string& failure() const { return failure_; }
  bool votes() const {
    const std::vector<std::string> voters = voters_->Agreed();
    return std::find(voters.begin(), voters.end(), options_.voter) != voters.end();
  }

 private:
  struct Waiting {
    RaftAsk ask;
    Answered answered;
  };

  static Core* Of(void* owner) { return static_cast<Core*>(owner); }
  RaftCoreCalls MakeCalls();
  uint64_t Apply(std::string_view bytes);
  void OnAnswered(uint64_t ticket, RaftCoreOutcome outcome, uint64_t result);
  void OnBarrier(RaftCoreOutcome outcome);
  void Write(const RaftAsk& ask, Answered answered);
  // Those that wait for a barrier get one, unless one is under way.
  void BeginBarrier();
  RaftAnswer Look(const RaftAsk& ask) const;
  RaftAnswer Elsewhere(uint64_t id) const;
  RaftAnswer Standing(uint64_t id) const;
  void OnGuestFrame(uint64_t guest, std::string_view frame);
  void Tell();
  void Watch();
  void WatchDisk();
  void GiveUp();
  void Warn(const std::string& text) const {
    if (options_.on_warning) options_.on_warning(text);
  }

  uv_loop_t* const loop_;
  const Options options_;
  const RaftCoreCalls calls_ = MakeCalls();
  UvRaftDoor door_;
  UvTimer tell_;
  UvTimer watch_;
  std::unique_ptr<RaftCore, CoreFree> raft_;
  std::optional<UvRaftVoters> voters_;  // once there is `raft_`
  RaftState state_;
  std::map<uint64_t, Waiting> writes_;  // by ticket
  std::vector<Waiting> reads_;          // behind the barrier that is under way
  std::vector<Waiting> later_;          // for the next one
  std::map<uint64_t, size_t> guests_;   // how much of each is under way
  std::function<void()> on_change_;
  std::string failure_;
  std::unique_ptr<Core> self_;  // while it closes
  uint64_t next_ticket_ = 1;
  uint64_t barrier_ = 0;  // its ticket
  bool telling_ = false;
  uint64_t stored_ = 0;     // by its disk
  uint64_t stored_ms_ = 0;  // when that was another, or there was nothing to be stored
  bool stuck_ = false;
};

RaftCoreCalls UvRaftNode::Core::MakeCalls() {
  RaftCoreCalls calls{};
  calls.owner = this;
  calls.apply = [](void* owner, const void* bytes, size_t size) {
    return Of(owner)->Apply({static_cast<const char*>(bytes), size});
  };
  calls.snapshot = [](void* owner, size_t* size) -> void* {
    const std::string bytes = Of(owner)->state_.Snapshot();
    void* copy = std::malloc(bytes.size());
    if (copy != nullptr) std::memcpy(copy, bytes.data(), bytes.size());
    *size = bytes.size();
    return copy;
  };
  calls.restore = [](void* owner, const void* bytes, size_t size) {
    return Of(owner)->state_.Restore({static_cast<const char*>(bytes), size});
  };
  calls.answered = [](void* owner, uint64_t ticket, RaftCoreOutcome outcome, uint64_t result) {
    Of(owner)->OnAnswered(ticket, outcome, result);
  };
  calls.changed = [](void* owner, RaftCoreOutcome outcome, const char* why) {
    Core* core = Of(owner);
    if (core->self_ == nullptr) core->voters_->OnChanged(outcome, why);
  };
  calls.connect = [](void* owner, RaftConnect* request, const char* address) {
    Core* core = Of(owner);
    core->door_.Connect(address, [core, request](uv_stream_t* stream) {
      RaftCoreConnected(request, stream, core->self_ != nullptr);
    });
  };
  calls.cut_off = [](void* owner) {
    Core* core = Of(owner);
    core->door_.Close([core] { RaftCoreCutOff(core->raft_.get()); });
  };
  calls.closed = [](void* owner) { std::unique_ptr<Core>(std::move(Of(owner)->self_)).reset(); };
  return calls;
}

bool UvRaftNode::Core::Open(std::string* error) {
  std::error_code failed;
  std::filesystem::create_directories(options_.folder, failed);
  if (failed) {
    *error = "cannot make the folder " + options_.folder + ": " + failed.message();
    return false;
  }
  if (!door_.Listen(error)) return false;
  const RaftCoreLimits limits = {
      options_.election_ms,    options_.heartbeat_ms,
      options_.snapshot_after, options_.snapshot_after * kEntriesPerSnapshot,
      kSegmentBytes,           std::random_device()()};
  std::string why(kErrorBytes, '\0');
  raft_.reset(RaftCoreNew(loop_, options_.folder.c_str(), options_.voter.c_str(), &calls_, &limits,
                          why.data(), why.size()));
  if (raft_ != nullptr) voters_.emplace(raft_.get(), options_.voter);
  std::vector<const char*> voters;
  for (const std::string& voter : options_.voters) voters.push_back(voter.c_str());
  if (raft_ == nullptr ||
      !RaftCoreStart(raft_.get(), voters.data(), voters.size(), why.data(), why.size())) {
    *error = "raft's folder " + options_.folder + " cannot be used: " + why.c_str();
    return false;
  }
  door_.Open();
  stored_ms_ = UvClock::NowMs(loop_);
  watch_.Set(kWatchMs);
  return true;
}

void UvRaftNode::Core::Close(std::unique_ptr<Core> self) {
  Core* core = self.get();
  core->writes_.clear();
  core->reads_.clear();
  core->later_.clear();
  core->guests_.clear();
  core->on_change_ = nullptr;
  core->watch_.Stop();
  core->tell_.Stop();
  if (core->raft_ == nullptr) return;
  core->self_ = std::move(self);
  RaftCoreClose(core->raft_.get());
}

uint64_t UvRaftNode::Core::Apply(std::string_view bytes) {
  const std::optional<RaftCommand> command = RaftCommand::Decode(bytes);
  // Of a later version, maybe: all voters of this one pass it over.
  if (!command) return RaftState::Result().Packed();
  const RaftState::Result result = state_.Apply(*command);
  if (result.done && !telling_) {
    telling_ = true;
    tell_.Set(0);
  }
  return result.Packed();
}

RaftAnswer UvRaftNode::Core::Elsewhere(uint64_t id) const {
  RaftAnswer answer;
  answer.id = id;
  if (failure_.empty()) answer.leader = RaftCoreLeader(raft_.get());
  if (answer.leader == options_.voter) answer.leader.clear();
  return answer;
}

RaftAnswer UvRaftNode::Core::Look(const RaftAsk& ask) const {
  RaftAnswer answer;
  answer.kind = RaftAnswer::Kind::kDone;
  answer.id = ask.id;
  if (ask.kind == RaftAsk::Kind::kList) {
    answer.values = state_.List(ask.name, ask.since);
  } else {
    answer.values.push_back({ask.name, state_.Read(ask.name)});
  }
  return answer;
}

// Nobody else has to agree to it.
RaftAnswer UvRaftNode::Core::Standing(uint64_t id) const {
  RaftAnswer answer;
  answer.kind = RaftAnswer::Kind::kStanding;
  answer.id = id;
  if (failure_.empty()) answer.leader = RaftCoreLeader(raft_.get());
  answer.standing = {RaftCoreTerm(raft_.get()), RaftCoreCommitted(raft_.get()),
                     RaftCoreLastApplied(raft_.get())};
  for (const std::string& voter : voters_->Agreed()) answer.values.push_back({voter, {}});
  answer.version = RaftCoreServersIndex(raft_.get());
  return answer;
}

void UvRaftNode::Core::Ask(const RaftAsk& ask, Answered answered) {
  if (ask.kind == RaftAsk::Kind::kStanding) return answered(Standing(ask.id));
  if (!leads()) return answered(Elsewhere(ask.id));
  if (ask.kind == RaftAsk::Kind::kWrite) return Write(ask, std::move(answered));
  if (ask.kind == RaftAsk::Kind::kAddVoter || ask.kind == RaftAsk::Kind::kRemoveVoter) {
    return answered(voters_->Ask(ask, UvClock::NowMs(loop_)));
  }
  later_.push_back({ask, std::move(answered)});
  BeginBarrier();
}

void UvRaftNode::Core::Write(const RaftAsk& ask, Answered answered) {
  const std::string bytes = ask.command.Encode();
  const uint64_t ticket = next_ticket_++;
  RaftAsk kept;
  kept.id = ask.id;
  writes_.emplace(ticket, Waiting{std::move(kept), answered});
  if (RaftCoreApply(raft_.get(), ticket, bytes.data(), bytes.size())) return;
  writes_.erase(ticket);
  answered(Elsewhere(ask.id));
}

void UvRaftNode::Core::BeginBarrier() {
  if (barrier_ != 0 || later_.empty()) return;
  barrier_ = next_ticket_++;
  reads_ = std::exchange(later_, {});
  if (!RaftCoreBarrier(raft_.get(), barrier_)) OnBarrier(kRaftCoreNot);
}

void UvRaftNode::Core::OnBarrier(RaftCoreOutcome outcome) {
  barrier_ = 0;
  const std::vector<Waiting> reads = std::exchange(reads_, {});
  for (const Waiting& read : reads) {
    read.answered(outcome == kRaftCoreDone ? Look(read.ask) : Elsewhere(read.ask.id));
  }
  BeginBarrier();
}

void UvRaftNode::Core::OnAnswered(uint64_t ticket, RaftCoreOutcome outcome, uint64_t result) {
  if (self_ != nullptr) return;
  if (ticket == barrier_) return OnBarrier(outcome);
  const auto found = writes_.find(ticket);
  if (found == writes_.end()) return;
  const Waiting write = std::move(found->second);
  writes_.erase(found);
  RaftAnswer answer = Elsewhere(write.ask.id);
  if (outcome == kRaftCoreDone) {
    const RaftState::Result is = RaftState::Result::Unpacked(result);
    answer.kind = is.done ? RaftAnswer::Kind::kDone : RaftAnswer::Kind::kConflict;
    answer.version = is.version;
  } else if (outcome == kRaftCoreUnknown) {
    answer.kind = RaftAnswer::Kind::kUnknown;
  }
  write.answered(answer);
}

void UvRaftNode::Core::OnGuestFrame(uint64_t guest, std::string_view frame) {
  const std::optional<RaftAsk> ask = RaftAsk::Decode(frame);
  const auto found = guests_.find(guest);
  if (found == guests_.end()) return;
  // What is no question, or one too many, is not answered: who asked gives up by itself.
  if (!ask || found->second >= kMostOfGuest) return;
  ++found->second;
  Ask(*ask, [this, guest](const RaftAnswer& answer) {
    const auto asked = guests_.find(guest);
    if (asked == guests_.end()) return;
    --asked->second;
    door_.Send(guest, answer.Encode());
  });
}

void UvRaftNode::Core::Tell() {
  telling_ = false;
  RaftAnswer changed;
  changed.kind = RaftAnswer::Kind::kChanged;
  const std::string frame = changed.Encode();
  for (const auto& [guest, asked] : guests_) door_.Send(guest, frame);
  if (on_change_) on_change_();
}

void UvRaftNode::Core::Watch() {
  watch_.Set(kWatchMs);
  if (!failure_.empty()) return;
  if (RaftCoreFailed(raft_.get())) return GiveUp();
  voters_->Tick(UvClock::NowMs(loop_));
  WatchDisk();
}

// libraft tries a full disk again and again without a word. It may go on leading, for the others
// are a majority, but what it is given lies in its memory meanwhile.
void UvRaftNode::Core::WatchDisk() {
  const uint64_t now_ms = UvClock::NowMs(loop_);
  const uint64_t stored = RaftCoreStored(raft_.get());
  if (stored != stored_ || !RaftCoreHasUnstored(raft_.get())) {
    stored_ = stored;
    stored_ms_ = now_ms;
    if (std::exchange(stuck_, false)) {
      Warn("raft's folder " + options_.folder + " takes again what it is given");
    }
    return;
  }
  if (now_ms < stored_ms_ + kStuckMs) return;
  if (!std::exchange(stuck_, true)) {
    const std::string why = RaftCoreDiskError(raft_.get());
    Warn("raft's folder " + options_.folder +
         " takes nothing: this member keeps nothing of what is agreed until it does" +
         (why.empty() ? "" : " (" + why + ")"));
  }
  RaftCoreHandOver(raft_.get());
}

// libraft tells nobody that it has stopped.
void UvRaftNode::Core::GiveUp() {
  failure_ = std::string("this member votes no more, for raft's folder ") + options_.folder +
             " failed: " + RaftCoreError(raft_.get());
  Warn(failure_);
  // What came of them others know: they are asked again there.
  for (const auto& list : {std::exchange(reads_, {}), std::exchange(later_, {})}) {
    for (const Waiting& read : list) read.answered(Elsewhere(read.ask.id));
  }
  for (const auto& [ticket, write] : std::exchange(writes_, {})) {
    RaftAnswer answer = Elsewhere(write.ask.id);
    answer.kind = RaftAnswer::Kind::kUnknown;
    write.answered(answer);
  }
}

std::unique_ptr<UvRaftNode> UvRaftNode::Open(uv_loop_t* loop, Options options, std::string* error) {
  auto core = std::make_unique<Core>(loop, std::move(options));
  if (core->Open(error)) return std::unique_ptr<UvRaftNode>(new UvRaftNode(std::move(core)));
  Core::Close(std::move(core));
  return nullptr;
}

UvRaftNode::UvRaftNode(std::unique_ptr<Core> core) : core_(std::move(core)) {}

UvRaftNode::~UvRaftNode() { Core::Close(std::move(core_)); }

void UvRaftNode::Ask(const RaftAsk& ask, Answered answered) {
  core_->Ask(ask, std::move(answered));
}

void UvRaftNode::set_on_change(std::function<void()> on_change) {
  core_->set_on_change(std::move(on_change));
}

bool UvRaftNode::leads() const { return core_->leads(); }

uint64_t UvRaftNode::last_applied() const { return core_->last_applied(); }

bool UvRaftNode::votes() const { return core_->votes(); }

const std::string& UvRaftNode::failure() const { return core_->failure(); }

}  // namespace gemel
