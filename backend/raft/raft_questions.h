// What a member asks of the voters: to whom each question goes, and to whom next if that one does
// not lead, is silent, or lost. A write may be sent many times, for the voters do it once.

#ifndef GEMEL_BACKEND_RAFT_RAFT_QUESTIONS_H_
#define GEMEL_BACKEND_RAFT_RAFT_QUESTIONS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/fleet/registers.h"
#include "backend/raft/raft_messages.h"

namespace gemel {

// Logic only: whoever owns it carries frames, and says what time it is. One thread.
class RaftQuestions {
 public:
  // So long nothing is heard from who was asked before the next one is, too.
  static constexpr uint64_t kSilentMs = 80;
  // And so long nobody else's word that it leads is believed.
  static constexpr uint64_t kSuspectMs = 300;
  // Between two rounds of asking who leads.
  static constexpr uint64_t kPaceMs = 5;
  // Of asking whether the voters are changed by now, and how long it may take.
  static constexpr uint64_t kChangePaceMs = 50;
  static constexpr uint64_t kChangeMs = 30000;

  struct Options {
    std::vector<std::string> voters;  // their addresses, of those known at first
    uint64_t client = 0;              // unlike any other's, ever
    uint32_t time_limit_ms = 1000;    // of one question
  };
  // Says it to that voter. False: there is no connection. Never answers inside the call.
  using Send = std::function<bool(size_t voter, const RaftAsk& ask)>;
  using Task = std::function<void()>;

  RaftQuestions(Options options, Send send);

  void Read(const std::string& name, Registers::ReadDone done, uint64_t now_ms);
  void List(const std::string& prefix, uint64_t since, Registers::ListDone done, uint64_t now_ms);
  void Write(const std::string& name, uint64_t expected, const std::string& text,
             Registers::WriteDone done, uint64_t now_ms);

  // The voter of that address is to vote from now on, or not any more. `done` gets the reason why
  // not, a sentence without a full stop; empty: it is done.
  using ChangeDone = std::function<void(const std::string& error)>;
  void Change(bool add, const std::string& address, ChangeDone done, uint64_t now_ms);

  // Another one, of the number behind the last; OnLine tells when it can be asked.
  void AddVoter(const std::string& address);
  void OnAnswer(size_t voter, const RaftAnswer& answer, uint64_t now_ms);
  // There is a connection now.
  void OnLine(size_t voter, uint64_t now_ms);
  // It could not be made, or is lost.
  void OnLost(size_t voter, const std::string& why, uint64_t now_ms);
  // Every few milliseconds while any() is true.
  void Tick(uint64_t now_ms);

  bool any() const { return !questions_.empty(); }
  // The voter that is believed to lead.
  size_t current() const { return current_; }
  // What became of questions since it was asked last; each may destroy this object.
  std::vector<Task> TakeFinished();
  // Whether registers may have changed, since it was asked last.
  bool TakeChanged();
  const std::string& trouble() const { return trouble_; }
  // What the last one that was answered took.
  const std::optional<uint64_t>& answer_ms() const { return answer_ms_; }

 private:
  struct Question {
    RaftAsk ask;
    Registers::ReadDone read;
    Registers::ListDone list;
    Registers::WriteDone write;
    ChangeDone change;
    uint64_t until_ms = 0;
    uint64_t retry_ms = 0;  // not before
    uint64_t sent_ms = 0;
    bool under_way = false;  // with the current one
    uint32_t sent = 0;       // times
    uint32_t refused = 0;    // of those: surely nothing was done
  };

  void Add(Question question, uint64_t now_ms);
  // To the voter `next`, or the first after it that there is a connection to, in kPaceMs.
  void Turn(size_t next, uint64_t now_ms);
  void Pump(uint64_t now_ms);
  void SendOne(Question* question, uint64_t now_ms);
  void Elsewhere(size_t voter, const RaftAnswer& answer, Question* question, uint64_t now_ms);
  void Finish(std::map<uint64_t, Question>::iterator question, RegisterOutcome outcome,
              const RaftAnswer& answer);
  void Expire(uint64_t now_ms);
  size_t After(size_t voter) const { return (voter + 1) % voters_.size(); }
  // The number of voters: it is none that is known.
  size_t IndexOf(const std::string& voter) const;

  static constexpr size_t kNobody = ~size_t{0};

  const Options options_;
  std::vector<std::string> voters_;
  const Send send_;
  std::map<uint64_t, Question> questions_;  // by id
  std::vector<Task> finished_;
  std::string trouble_;
  std::optional<uint64_t> answer_ms_;
  std::string last_why_;  // of a lost connection
  uint64_t next_id_ = 1;
  std::vector<bool> up_;  // to whom there is a connection
  size_t current_ = 0;
  uint64_t current_ms_ = 0;  // since then, or heard of then
  size_t suspect_ = kNobody;
  uint64_t suspect_ms_ = 0;
  bool changed_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_RAFT_QUESTIONS_H_
