// Host names are looked up here and nowhere else: on threads of its own, so that a resolver that
// hangs keeps no loop, and no file of libuv's thread pool, waiting.

#ifndef GEMEL_BACKEND_UV_UV_NAMES_H_
#define GEMEL_BACKEND_UV_UV_NAMES_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "backend/events/note.h"
#include "backend/names/name_table.h"

namespace gemel {

// Any thread. A lookup that is under way when it is destroyed goes on by itself, for nobody.
class UvNames {
 public:
  using LookUp = std::function<NameAnswer(const std::string& host)>;
  using Done = std::function<void(const NameAnswer&)>;
  using NoteFn = std::function<void(NoteLevel, const std::string&)>;

  // At once no more than this; further names wait until one of these has ended.
  static constexpr size_t kMaxLookups = 64;
  // An answer serves those who ask within this time again.
  static constexpr uint64_t kFreshMs = 1000;
  // For so long a lookup is waited for by who knows an address already.
  static constexpr uint64_t kPatienceMs = 30;

  // `look_up` blocks, and is called by many threads: another resolver than the system's, of a test.
  explicit UvNames(LookUp look_up = SystemLookUp);
  ~UvNames();
  UvNames(const UvNames&) = delete;
  UvNames& operator=(const UvNames&) = delete;

  // The process's own.
  static UvNames& Process();
  static NameAnswer SystemLookUp(const std::string& host);
  // Of any monotonic clock: what is meant by newer_than_ms.
  static uint64_t NowMs();

  // Who waits for an answer. Destroyed before it came, none comes. The loop must turn after that.
  class Question {
   public:
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question();

   private:
    friend class UvNames;
    struct Mail;
    explicit Question(std::shared_ptr<Mail> mail) : mail_(std::move(mail)) {}
    const std::shared_ptr<Mail> mail_;
  };

  // `done` runs once, later, on the loop, never inside this call; it may destroy the question. See
  // NameTable::Ask for `newer_than_ms`.
  std::unique_ptr<Question> Ask(uv_loop_t* loop, const std::string& host, uint64_t newer_than_ms,
                                Done done);
  // For how long who knows an address already had better wait for an answer.
  uint64_t PatienceMs(const std::string& host) const;
  // Blocks, for `patience_ms` at most. Returns an answer for each host, in their order.
  std::vector<NameAnswer> Resolve(const std::vector<std::string>& hosts, uint64_t patience_ms);
  // Who blocks in Resolve gets no answer, from now on at once.
  void Stop();
  // Told of names that cannot be looked up, once, and when they can be again. On any thread.
  void set_note(NoteFn note);

 private:
  struct State;
  static void Begin(const std::shared_ptr<State>& state, const std::string& host);
  static void Work(const std::shared_ptr<State>& state, std::string host);
  static bool End(State* state, const NameAnswer& answer, std::string* host);

  // Shared with the threads of the lookups, which nobody waits for.
  std::shared_ptr<State> state_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_NAMES_H_
