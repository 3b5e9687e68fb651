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
#include "backend/shard/frame_keys.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Between a session that waits and the owner of the shard.
struct BlockTicket {
  void* waiter = nullptr;  // the owner's own
};

// Of a request of kind kBlocking.
struct BlockingCargo : RequestCargo {
  std::shared_ptr<BlockTicket> ticket;
  uint64_t timeout_ms = 0;  // 0: for ever
};

// Of one of kind kUnblock. Answered at once.
struct UnblockCargo : RequestCargo {
  enum class Why : uint8_t { kTimeout, kError, kGone, kStopping };
  std::shared_ptr<BlockTicket> ticket;
  Why why = Why::kTimeout;
};

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
  bool wants() const { return !ready_.empty(); }
  void Serve();

  void Tick(uint64_t now_ms);
  // Those of these keys (without their databases) are somebody else's from now on.
  void OnMoved(const std::function<bool(std::string_view key)>& is_moved);
  void Stop();

 private:
  struct Waiter;
  struct Line;
  struct Question;
  // A waiter's place in the line of one of its keys.
  struct Place {
    Waiter* waiter = nullptr;
    Line* line = nullptr;
    Place* before = nullptr;
    Place* behind = nullptr;
  };
  struct Line {
    std::string key;  // its name
    Place* first = nullptr;
    Place* last = nullptr;
    uint32_t of_streams = 0;  // of them, who takes nothing away
    bool more = false;        // whoever gets something need not be the last
  };
  using Deadlines = std::multimap<uint64_t, Waiter*>;
  struct Waiter {
    Request* request = nullptr;
    std::shared_ptr<BlockTicket> ticket;
    std::vector<Place> places;
    Deadlines::iterator deadline;
    bool has_deadline = false;
    bool in_line = false;            // it has been told that there is nothing, and waits
    bool asking = false;             // a question is under way for it
    std::vector<std::string> again;  // keys that were written meanwhile, in their order
    Question* question = nullptr;    // which that is
    std::string end;    // what it is told if nothing comes of that; empty: it goes on waiting
    bool gone = false;  // the client is, and is told nothing
  };
  // A question that is under way.
  struct Question : Request {
    enum class About : uint8_t {
      kItself,   // what the client wants
      kLastIds,  // behind which entries of streams that is
      kType,     // what the key is, of which it was told an error
    };
    Waiter* waiter = nullptr;
    About about = About::kItself;
    std::string key;  // its name; empty: of all keys
    AtOnce asked;
  };
  // What is to be asked for.
  struct Ready {
    std::string key;
    size_t count;  // so many may have something
    bool more;     // or any number
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };

  void OnCommand(const FrameKeys::Command& command, bool own);
  // `of_write`: who is being asked for already is asked for again.
  void Wake(Line* line, size_t count, bool of_write);
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
  void OnNothing(Waiter* waiter, const std::string& key);
  void EndIfDue(Waiter* waiter);
  void EndAll(const std::function<bool(std::string_view key)>& which, std::string_view text);
  void Return(Waiter* waiter, std::string_view reply);
  // It waits no more.
  void Leave(Waiter* waiter, std::string_view reply);

  ShardParts* parts_;
  std::unordered_map<const Waiter*, std::unique_ptr<Waiter>> waiters_;
  std::unordered_map<std::string, Line, Hash, std::equal_to<>> lines_;
  std::vector<Ready> ready_;
  bool serving_ = false;
  Deadlines deadlines_;
  std::vector<std::pair<uint64_t, std::string>> later_;  // when, and of which key
  std::vector<std::unique_ptr<Question>> spare_;
  FrameKeys frame_{parts_->table};
  mutable std::vector<std::string_view> args_;  // scratch
  mutable std::vector<std::string_view> others_;
  Figure waiting_{parts_->figures,
                  "blocked_clients",
                  "Clients that wait for what a key will have",
                  {"clients", "blocked_clients"},
                  FigureType::kGauge};
  Figure returned_{parts_->figures, "put_back",
                   "Elements put back, as the client that they were taken for was gone"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_BLOCKED_CLIENTS_H_
