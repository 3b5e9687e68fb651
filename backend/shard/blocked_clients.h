// Clients that wait for what a key of the shard will have (BLPOP and its like). Every write of a
// shard passes its owner, so waiting needs no connection: right behind a write that may have
// brought something the nodes are asked for it, by what takes it at once (backend/command/
// blocking.h), in the same order on all copies, for the client that has waited longest. Nothing
// comes between, so that it is as in Redis, where that client is served before the next command.
//
// What is under way for a client is one question at a time. A client comes with the first, about
// all its keys, and is in line from then on; behind that each question is about one key. A write on
// the way of a question makes the first in line be asked for again, if there was nothing.
//
// The invariants: who is in line has been told nothing; a client is told once; what was taken is
// told to the first in line who wants it in that way, or is put back where it was.
//
// Source: blocked.c and t_list.c of Redis 7.0 (handleClientsBlockedOnKeys).

#ifndef GEMEL_BACKEND_SHARD_BLOCKED_CLIENTS_H_
#define GEMEL_BACKEND_SHARD_BLOCKED_CLIENTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/command/blocking.h"
#include "backend/figures/figures.h"
#include "backend/shard/blocked_line.h"
#include "backend/shard/blocked_news.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class BlockedClients : private RequestSink {
 public:
  explicit BlockedClients(ShardParts* parts) : parts_(parts) {}
  ~BlockedClients() override;

  // Nobody waits.
  bool idle() const { return lines_.empty(); }
  void Submit(Request* request);
  void Unblock(Request* request);

  // A write is being sent: what it may have brought is asked for by the next Serve, behind it.
  void OnWrite(const Request& request);
  // The same of a key that a write is known to have changed only now.
  void OnKeyTold(std::string_view key);
  bool wants() const { return !ready_.empty(); }
  void Serve();
  // A node has come or a role has changed: the copies may hold what nobody has written just now.
  void Doubt();

  void Tick(uint64_t now_ms);
  // Those of these keys (without their databases) are somebody else's from now on.
  void OnMoved(const std::function<bool(std::string_view key)>& is_moved);
  void Stop();

  // --- the shard goes to another process (departure.h) ---
  // It is a write that puts back what was taken for a client that is gone.
  bool IsPutBack(const Request& request) const {
    return request.sink == static_cast<const RequestSink*>(this) &&
           static_cast<const Question&>(request).waiter == nullptr;
  }
  struct Taken {
    Request* request;
    std::string end;  // what it is to be told, as its time is over; empty: it goes on waiting
  };
  // All who wait, in the order in which they came and with the time that each has left. What is
  // asked for them is for nobody.
  std::vector<Taken> TakeAll();

 private:
  using Waiter = BlockedWaiter;
  using Line = BlockedLine;
  using Place = BlockedPlace;
  using Question = BlockedQuestion;
  // There was nothing, and all that this brings is taken by those who are asked for now.
  bool TakesAll(const Line& line, const BlockedNews& news) const;
  // `of_write`: who is being asked for already is asked for again.
  void Wake(Line* line, const BlockedNews& news, bool of_write);
  void WakeNext(Line* line) {
    Wake(line, {{}, 1, false, line->is, line->is_not}, /*of_write=*/false);
  }
  void Ask(Waiter* waiter, std::string_view key_name);
  std::unique_ptr<Question> NewQuestion(Waiter* waiter);
  void Send(std::unique_ptr<Question> question);
  void OnLastIds(Waiter* waiter, std::string_view reply);
  void AskType(Waiter* waiter, const std::string& key);
  void OnType(Waiter* waiter, const std::string& key, std::string_view reply);
  void OnReply(Request* request, const Reply& reply) override;
  void OnAnswer(Question* question, std::string_view reply);
  // Who gets it.
  Waiter* TakerOf(const Question& question) const;
  bool Alike(const Waiter& a, const Waiter& b) const;
  void OnNoneOfIts(Question* question, bool wrong_type);
  void OnNothing(Waiter* waiter);
  void LeaveToOthers(Waiter* waiter, std::string_view reply, std::vector<std::string> keys);
  void EndIfDue(Waiter* waiter);
  void EndAll(const std::function<bool(std::string_view key)>& which, std::string_view text);
  void Return(Waiter* waiter, std::string_view reply);
  // It waits no more.
  std::unique_ptr<Waiter> Unlink(Waiter* waiter);
  void Leave(Waiter* waiter, std::string_view reply);

  ShardParts* parts_;
  std::unordered_map<const Waiter*, std::unique_ptr<Waiter>> waiters_;
  uint64_t came_ = 0;
  BlockedLines lines_;
  std::vector<BlockedNews> ready_;
  bool serving_ = false;
  uint64_t round_ = 0;  // of Serve
  BlockedDeadlines deadlines_;
  std::vector<std::pair<uint64_t, std::string>> later_;  // when, and of which key
  std::vector<std::unique_ptr<Question>> spare_;
  FrameKeys frame_{parts_->table};
  mutable std::vector<std::string_view> args_;  // scratch
  mutable std::vector<std::string_view> others_;
  Figure waiting_{parts_->figures,
                  "blocked_clients",
                  "Clients that wait for what a key will have",
                  {},
                  FigureType::kGauge};
  Figure returned_{parts_->figures, "put_back",
                   "Elements put back, as the client that they were taken for was gone"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_BLOCKED_CLIENTS_H_
