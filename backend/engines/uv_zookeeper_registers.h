// The registers of a fleet in ZooKeeper (3.5 and later).

#ifndef GEMEL_BACKEND_ENGINES_UV_ZOOKEEPER_REGISTERS_H_
#define GEMEL_BACKEND_ENGINES_UV_ZOOKEEPER_REGISTERS_H_

#include <uv.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/engines/engine_options.h"
#include "backend/engines/uv_zookeeper.h"
#include "backend/engines/uv_zookeeper_watch.h"
#include "backend/fleet/registers.h"
#include "backend/life/alive.h"
#include "backend/uv/uv_timer.h"

struct String_vector;

namespace gemel {

// A register is a znode (znode_names.h), its version the znode's and one. They are never deleted.
// One loop, one thread; it must turn after this is destroyed until the handles are closed. A
// callback may destroy it.
//
// A read is behind a check that a majority has to agree to: the sync of ZooKeeper is answered by a
// leader alone, which may have been followed by another without knowing.
class UvZookeeperRegisters : public Registers {
 public:
  // `options` are checked: at least one server. `path` is the prefix's (ZnodePath).
  UvZookeeperRegisters(uv_loop_t* loop, EngineOptions options, std::string path);
  ~UvZookeeperRegisters() override;
  UvZookeeperRegisters(const UvZookeeperRegisters&) = delete;
  UvZookeeperRegisters& operator=(const UvZookeeperRegisters&) = delete;

  void Read(const std::string& name, ReadDone done) override;
  void List(const std::string& prefix, ListDone done) override;
  void Write(const std::string& name, uint64_t expected, const std::string& text,
             WriteDone done) override;
  void set_on_change(std::function<void()> on_change) override;
  std::string place() const override { return "zookeeper at " + session_.server(); }
  std::string trouble() const override { return trouble_; }
  // Of the one server that it speaks to; ZooKeeper does not tell clients who leads.
  EngineStatus Status() const override;

 private:
  struct Reply;      // what the client brings back with each answer
  struct Callbacks;  // whom it brings that
  struct Question {
    std::string name;  // of the register, or the prefix of a list
    uint64_t deadline_ms = 0;
    uint64_t sent_ms = 0;  // 0: it is not
    uint64_t trial = 0;    // answers to an earlier one are of no use
    // Of a write.
    uint64_t expected = 0;
    std::string text;
    bool parents = false;  // were made
    // Of a list.
    size_t missing = 0;  // texts
    std::vector<NamedRegister> found;
    // One of them is not null.
    ReadDone read = nullptr;
    ListDone list = nullptr;
    WriteDone write = nullptr;
  };

  uint64_t NowMs() const;
  std::string PathOf(const std::string& name) const;
  void Ask(Question question);
  void Turn();
  void OnDeadline();
  void SendAll();
  void Send(uint64_t id, Question* question);
  void SendRead(uint64_t id, Question* question);
  void SendWrite(uint64_t id, Question* question);
  void MakeParents();
  void LookUp(uint64_t id, const Question& question);
  // Of what the client was asked; false: it did not take it.
  bool Sent(int result, std::unique_ptr<Reply> reply);

  // Of what the answer is; null: it is of no use any more.
  Question* Answered(const Reply& reply, int result);
  void OnListed(uint64_t id, Question* question, const String_vector& names);
  void OnWriteFailure(uint64_t id, Question* question, int result);

  void Lost(uint64_t id, int result);
  void Refuse(uint64_t id, int result);
  void AnswerRead(uint64_t id, RegisterValue value);
  void AnswerList(uint64_t id);
  void AnswerWrite(uint64_t id, RegisterOutcome outcome, uint64_t version);
  // Nothing was done, and nothing will be.
  void Fail(uint64_t id);
  void Answer(uint64_t id, std::function<void()> answer);
  // Gives the answers to who asked. Outside of the client's callbacks alone.
  void Give();

  uv_loop_t* loop_;
  const uint32_t time_limit_ms_;
  const std::string path_;
  const bool with_user_;
  std::map<uint64_t, Question> questions_;  // in the order of their deadlines
  uint64_t last_id_ = 0;
  uint64_t last_trial_ = 0;
  uint64_t heard_ms_ = 0;  // when something was answered last
  std::deque<std::function<void()>> answers_;
  std::string trouble_;
  std::optional<uint64_t> answer_ms_;
  std::function<void()> on_change_;
  bool changed_ = false;
  UvTimer turn_;
  UvTimer deadline_;
  UvZookeeperWatch watch_;
  UvZookeeper session_;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_UV_ZOOKEEPER_REGISTERS_H_
