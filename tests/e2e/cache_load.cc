#include "tests/e2e/cache_load.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <mutex>
#include <queue>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

#include "tests/e2e/wait.h"

namespace gemel::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kBatch = 24;
constexpr int kFullKeys = 1500;  // a thread
constexpr int kShortLivedKeys = 300;
constexpr size_t kLongest = 60;    // additions to a key, then it is deleted
constexpr size_t kLeftKept = 500;  // keys that nobody writes any more and that are read in the end
constexpr size_t kErrorsKept = 5;

enum Type { kHash, kSet, kSortedSet, kList, kString, kTypes };

// One key, and after it the next one of that place.
struct Slot {
  Type type = kHash;
  std::string name;
  int generation = 0;
  int tries = 0;
  std::vector<int64_t> alive = {};  // the additions that may be there, in their order

  std::string Key() const { return name + ":" + std::to_string(generation); }
  void Leave() {
    ++generation;
    tries = 0;
    alive.clear();
  }
};

Words AddWords(const Slot& slot, int64_t number, const std::string& pad) {
  const std::string text = std::to_string(number);
  switch (slot.type) {
    case kHash:
      return {"HSET", slot.Key(), text, pad};
    case kSet:
      return {"SADD", slot.Key(), text + "." + pad};
    case kSortedSet:
      return {"ZADD", slot.Key(), text, text + "." + pad};
    case kList:
      return {"RPUSH", slot.Key(), text + "." + pad};
    default:
      return {"SET", slot.Key(), text + "." + pad};
  }
}

Words CountWords(const Slot& slot) {
  constexpr const char* kNames[] = {"HLEN", "SCARD", "ZCARD", "LLEN", "EXISTS"};
  return {kNames[slot.type], slot.Key()};
}

Words ReadWords(const Slot& slot) {
  switch (slot.type) {
    case kHash:
      return {"HKEYS", slot.Key()};
    case kSet:
      return {"SMEMBERS", slot.Key()};
    case kSortedSet:
      return {"ZRANGE", slot.Key(), "0", "-1"};
    case kList:
      return {"LRANGE", slot.Key(), "0", "-1"};
    default:
      return {"GET", slot.Key()};
  }
}

// The counters in the reply to ReadWords.
std::set<int64_t> NumbersOf(const Reply& reply) {
  if (reply.kind == Reply::Kind::kNil) return {};
  if (reply.kind == Reply::Kind::kBulk) return {std::stoll(reply.bytes)};
  std::set<int64_t> numbers;
  for (const Reply& item : reply.items) numbers.insert(std::stoll(item.bytes));
  return numbers;
}

}  // namespace

// One thread of it.
class CacheWriter {
 public:
  CacheWriter(int index, uint16_t port, CacheLoad::Options options)
      : port_(port),
        options_(options),
        prefix_(options.prefix + ":" + std::to_string(index) + ":"),
        dice_(static_cast<uint64_t>(index)) {
    slots_.resize(options.kind == CacheLoad::Kind::kFull ? kFullKeys : kShortLivedKeys);
    for (size_t place = 0; place < slots_.size(); ++place) {
      slots_[place].type = static_cast<Type>(place % kTypes);
      slots_[place].name = prefix_ + std::to_string(place);
    }
  }

  void Work(const std::atomic<bool>& stop, std::atomic<uint64_t>* answered) {
    try {
      Client client(port_);
      client_ = &client;
      answered_ = answered;
      if (options_.kind == CacheLoad::Kind::kFull) Fill(stop);
      while (!stop && !HasErrors()) {
        if (options_.kind == CacheLoad::Kind::kFull) {
          SomeOfMany();
        } else {
          ThoseThatExpire();
        }
        Flush();
      }
    } catch (const std::runtime_error& error) {
      AddError(error.what());
    }
    client_ = nullptr;
  }

  void LookAgain(Client* client) {
    client_ = client;
    is_last_look_ = true;
    for (std::deque<Slot>* slots : {&slots_, &left_}) {
      for (Slot& slot : *slots) {
        Read(&slot);
        if (sent_.size() >= kBatch) Flush();
      }
    }
    Flush();
    client_ = nullptr;
  }

  uint64_t gone() const { return gone_; }
  bool HasErrors() const {
    std::lock_guard lock(mutex_);
    return !errors_.empty();
  }
  std::string Errors() const {
    std::lock_guard lock(mutex_);
    std::string text;
    for (const std::string& error : errors_) text += error + "\n";
    return text;
  }

 private:
  using Take = std::function<void(const Reply&)>;
  struct Sent {
    Slot* slot;
    int generation;
    std::string what;
    Take take;
  };

  int64_t Roll(int64_t below) {
    return static_cast<int64_t>(dice_() % static_cast<uint64_t>(below));
  }
  std::string Pad(int64_t least, int64_t below) {
    return std::string(static_cast<size_t>(least + Roll(below)), 'x');
  }
  Slot* AnySlot(int type) {
    // Some are used often, so that evicting by use has a meaning.
    const auto size = static_cast<int64_t>(slots_.size());
    const int64_t place = Roll(size) * Roll(size) / size;
    return &slots_[static_cast<size_t>(place - place % kTypes + type)];
  }

  void Fill(const std::atomic<bool>& stop) {
    for (int i = 0; i < 2500 && !stop; ++i) {
      Words words = {"SET", prefix_ + "fill:" + std::to_string(i), std::string(900, 'f')};
      if (options_.ttls) words.insert(words.end(), {"EX", "3600"});
      Ask(&nobody_, words, [](const Reply&) {});
      if (i % kBatch == 0) Flush();
    }
    Flush();
  }

  void SomeOfMany() {
    for (int i = 0; i < kBatch; ++i) {
      Slot* slot = AnySlot(static_cast<int>(Roll(kTypes)));
      const int64_t dice = Roll(100);
      if (dice < 8) {
        Read(slot);
      } else if (dice < 10 || slot->alive.size() > kLongest) {
        Ask(slot, {"DEL", slot->Key()}, [slot](const Reply&) { slot->alive.clear(); });
      } else if (dice < 20 && options_.multi_key) {
        OfTwoKeys(slot, AnySlot(slot->type));
      } else {
        Add(slot, Pad(20, 180), false);
      }
      if (options_.ttls || dice > 90) {
        Ask(slot, {"EXPIRE", slot->Key(), std::to_string(300 + Roll(600))}, [](const Reply&) {});
      }
    }
  }

  void ThoseThatExpire() {
    const Clock::time_point now = Clock::now();
    if (due_.empty()) {
      for (Slot& slot : slots_) due_.push({now + milliseconds(Roll(200)), &slot});
    }
    int count = 0;
    for (; due_.top().first <= now && count < kBatch; ++count) {
      Slot* slot = due_.top().second;
      due_.pop();
      due_.push({now + Live(slot), slot});
    }
    if (count == 0) std::this_thread::sleep_for(microseconds(500));
  }

  // One step in the life of a key; when the next one is due.
  microseconds Live(Slot* slot) {
    if (slot->alive.empty()) {
      const int64_t lives = 20 + Roll(380);
      Add(slot, Pad(10, 1), false);
      ExpireIn(slot, lives);
      slot->tries = 0;
      return milliseconds(lives) + microseconds(Roll(3000) - 1000);
    }
    if (slot->tries >= 3) {  // what is there now stays for ever, or goes, on both copies alike
      left_.push_back(*slot);
      if (left_.size() > kLeftKept) left_.pop_front();
      slot->Leave();
      return microseconds(1 + Roll(1000));
    }
    ++slot->tries;
    Slot* other = AnySlot(slot->type);
    if (options_.multi_key && slot->tries == 2 && other != slot) {
      Flush();  // what is under way may be about the other one
      OfTwoKeys(slot, other);
      Flush();
    } else {
      Add(slot, Pad(10, 1), true);
    }
    return microseconds(500 + Roll(2500));
  }

  void ExpireIn(Slot* slot, int64_t lives) {
    if (Roll(2) == 0) {
      Ask(slot, {"PEXPIRE", slot->Key(), std::to_string(lives)}, [](const Reply&) {});
      return;
    }
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const int64_t at = std::chrono::duration_cast<milliseconds>(now).count() + lives;
    Ask(slot, {"PEXPIREAT", slot->Key(), std::to_string(at)}, [](const Reply&) {});
  }

  void Add(Slot* slot, const std::string& pad, bool keep_ttl) {
    const int64_t number = ++number_;
    Words words = AddWords(*slot, number, pad);
    if (slot->type == kString && keep_ttl) words.push_back("KEEPTTL");
    Ask(slot, words, [slot, number](const Reply& reply) {
      if (reply.IsError()) return;
      if (slot->type == kString) slot->alive.clear();
      slot->alive.push_back(number);
    });
    Ask(slot, CountWords(*slot), [this, slot](const Reply& reply) { Counted(slot, reply); });
  }

  void Counted(Slot* slot, const Reply& reply) {
    const size_t there = static_cast<size_t>(reply.integer);
    if (there > slot->alive.size()) {
      if (options_.any_copy) return;
      AddError(slot->Key() + " has " + std::to_string(there) + " additions, " +
               std::to_string(slot->alive.size()) + " could be");
      return;
    }
    const size_t gone = slot->alive.size() - there;
    gone_ += gone;
    slot->alive.erase(slot->alive.begin(), slot->alive.begin() + static_cast<ptrdiff_t>(gone));
  }

  void Read(Slot* slot) {
    Ask(slot, ReadWords(*slot), [this, slot](const Reply& reply) {
      const std::set<int64_t> there = NumbersOf(reply);
      for (const int64_t number : there) {
        if (std::find(slot->alive.begin(), slot->alive.end(), number) == slot->alive.end() &&
            (!options_.any_copy || is_last_look_)) {
          AddError(slot->Key() + ": addition " + std::to_string(number) + " has come back");
          return;
        }
      }
      gone_ += std::erase_if(slot->alive, [&](int64_t number) { return !there.contains(number); });
    });
  }

  // A write that moves or copies, between two keys of a type, and a look at both.
  void OfTwoKeys(Slot* from, Slot* to) {
    if (from == to) return;
    const auto is_gone = [this, from] {
      gone_ += from->alive.size();
      from->alive.clear();
    };
    const int64_t dice = Roll(3);
    if (from->type == kSet && dice == 0) {
      const Take take = [from, to](const Reply&) {
        to->alive.insert(to->alive.end(), from->alive.begin(), from->alive.end());
        std::sort(to->alive.begin(), to->alive.end());
        to->alive.erase(std::unique(to->alive.begin(), to->alive.end()), to->alive.end());
      };
      AskOfTwo(from, to, {"SUNIONSTORE", to->Key(), to->Key(), from->Key()}, take);
    } else if (from->type == kList && dice == 0) {
      const Take take = [this, from, to, is_gone](const Reply& reply) {
        if (reply.kind == Reply::Kind::kNil) return is_gone();
        const int64_t number = std::stoll(reply.bytes);
        const auto at = std::find(from->alive.begin(), from->alive.end(), number);
        if (at == from->alive.end())
          return AddError("LMOVE of " + from->Key() + ": " + reply.bytes);
        from->alive.erase(at);
        to->alive.push_back(number);
      };
      AskOfTwo(from, to, {"LMOVE", from->Key(), to->Key(), "LEFT", "RIGHT"}, take);
    } else if (dice == 1) {
      const Take take = [from, to, is_gone](const Reply& reply) {
        if (reply.IsError()) return is_gone();
        to->alive = std::exchange(from->alive, {});
      };
      AskOfTwo(from, to, {"RENAME", from->Key(), to->Key()}, take);
    } else {
      const Take take = [from, to, is_gone](const Reply& reply) {
        if (reply.integer == 0) return is_gone();
        to->alive = from->alive;
      };
      AskOfTwo(from, to, {"COPY", from->Key(), to->Key(), "REPLACE"}, take);
    }
    Read(from);
    Read(to);
  }

  void AskOfTwo(Slot* from, Slot* to, const Words& words, Take take) {
    // What one copy has moved may have been gone on the one that was read: both keys are given up,
    // and only have to be equal in the end.
    if (options_.any_copy) {
      take = [from, to](const Reply&) {
        from->Leave();
        to->Leave();
      };
    }
    Ask(to, words, std::move(take));
  }

  void Ask(Slot* slot, const Words& words, Take take) {
    client_->Append(words);
    sent_.push_back({slot, slot->generation, words[0] + " " + words[1], std::move(take)});
  }

  void Flush() {
    for (const Sent& sent : std::exchange(sent_, {})) {
      const Reply reply = client_->Read();
      if (answered_ != nullptr) ++*answered_;
      const bool full = options_.may_be_full && reply.Text().starts_with("-OOM ");
      const bool no_source = reply.Text().starts_with("-ERR no such key");
      if (reply.IsError() && !full && !no_source) AddError(sent.what + " answered " + reply.Text());
      if (!full && sent.generation == sent.slot->generation) sent.take(reply);
    }
  }

  void AddError(const std::string& error) {
    std::lock_guard lock(mutex_);
    if (errors_.size() < kErrorsKept) errors_.push_back(error);
  }

  const uint16_t port_;
  const CacheLoad::Options options_;
  const std::string prefix_;
  std::mt19937_64 dice_;
  std::deque<Slot> slots_;
  std::deque<Slot> left_;  // what is known of keys that nobody writes any more
  Slot nobody_;
  std::vector<Sent> sent_;
  using Due = std::pair<Clock::time_point, Slot*>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  Client* client_ = nullptr;
  std::atomic<uint64_t>* answered_ = nullptr;
  bool is_last_look_ = false;
  int64_t number_ = 0;
  std::atomic<uint64_t> gone_{0};
  mutable std::mutex mutex_;  // of errors_ alone
  std::vector<std::string> errors_;
};

CacheLoad::CacheLoad(uint16_t port, Options options) {
  for (int i = 0; i < options.threads; ++i) {
    writers_.push_back(std::make_unique<CacheWriter>(i, port, options));
  }
  for (const auto& writer : writers_) {
    threads_.emplace_back([this, &writer] { writer->Work(stop_, &answered_); });
  }
}

CacheLoad::~CacheLoad() { Stop(); }

void CacheLoad::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

bool CacheLoad::WaitForMore(uint64_t requests) const {
  const uint64_t goal = answered_ + requests;
  return Eventually([&] { return answered_ >= goal || HasErrors(); },
                    std::chrono::duration_cast<std::chrono::milliseconds>(2 * kPatience)) &&
         !HasErrors();
}

bool CacheLoad::HasErrors() const {
  return std::any_of(writers_.begin(), writers_.end(),
                     [](const auto& writer) { return writer->HasErrors(); });
}

uint64_t CacheLoad::gone() const {
  uint64_t gone = 0;
  for (const auto& writer : writers_) gone += writer->gone();
  return gone;
}

void CacheLoad::LookAgain(uint16_t port) {
  Client client(port);
  for (const auto& writer : writers_) writer->LookAgain(&client);
}

std::string CacheLoad::Errors() const {
  std::string text;
  for (const auto& writer : writers_) text += writer->Errors();
  return text;
}

}  // namespace gemel::e2e
