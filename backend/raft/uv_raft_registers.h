// Registers by raft: what a member asks goes to whichever voter leads, which may be in this
// process.

#ifndef GEMEL_BACKEND_RAFT_UV_RAFT_REGISTERS_H_
#define GEMEL_BACKEND_RAFT_UV_RAFT_REGISTERS_H_

#include <uv.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/fleet/registers.h"
#include "backend/raft/raft_questions.h"
#include "backend/raft/raft_standings.h"
#include "backend/raft/uv_raft_line.h"
#include "backend/raft/uv_raft_node.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

class UvRaftRegisters : public Registers {
 public:
  struct Options {
    std::string fleet;
    std::string member;  // this one
    std::string secret;
    std::vector<std::string> voters;
    uint32_t time_limit_ms = 1000;
    bool tls = false;  // with the voters
  };

  // `node`: of this process, if it is a voter; `own` is its address.
  UvRaftRegisters(uv_loop_t* loop, Options options, std::unique_ptr<UvRaftNode> node = nullptr,
                  const std::string& own = "");
  ~UvRaftRegisters() override;

  void Read(const std::string& name, ReadDone done) override;
  void List(const std::string& prefix, ListDone done) override {
    ListSince(prefix, 0, std::move(done));
  }
  void ListSince(const std::string& prefix, uint64_t since, ListDone done) override;
  void Write(const std::string& name, uint64_t expected, const std::string& text,
             WriteDone done) override;
  void set_on_change(std::function<void()> on_change) override;
  std::string place() const override;
  std::string trouble() const override;
  EngineStatus Status() const override;
  void ChangeServers(bool add, const std::string& server) override;

 private:
  struct Voter {
    std::string address;
    bool votes = true;  // as far as is known here; else it is not asked
    std::unique_ptr<UvRaftLine> line =
        nullptr;  // null: of this process, or it is dialled again at retry_ms
    uint64_t retry_ms = 0;
  };

  bool Send(size_t voter, const RaftAsk& ask);
  void Dial(size_t voter);
  // Of the voters that are agreed, as one of them says: the file's are those of some day.
  void Learn(const RaftAnswer& standing);
  void SetVotes(size_t voter, bool votes);
  bool IsOwn(size_t voter) const { return node_ != nullptr && voters_[voter].address == own_; }
  void OnFrame(size_t voter, std::string_view frame);
  void OnAnswer(size_t voter, const RaftAnswer& answer);
  // Asks each voter how far it is, now and then.
  void AskStandings(uint64_t now_ms);
  void OnTick();
  // Tells of what is finished, outside of whatever brought it. It may be gone afterwards.
  void FinishSoon() { finish_.Set(0); }
  void Finish();
  uint64_t NowMs() const;

  uv_loop_t* const loop_;
  const Options options_;
  std::vector<Voter> voters_;
  const std::string own_;
  uint64_t learned_ = 0;  // where in the log the voters were agreed that are known here
  std::unique_ptr<UvRaftNode> node_;
  RaftQuestions questions_;
  RaftStandings standings_;
  std::string change_;
  uint64_t standings_ms_ = 0;                              // not before
  std::deque<std::pair<size_t, RaftAnswer>> own_answers_;  // and of which voter
  std::function<void()> on_change_;
  UvTimer tick_;
  UvTimer finish_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_UV_RAFT_REGISTERS_H_
