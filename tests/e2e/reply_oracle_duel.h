// The same commands to gemel and to a redis-server, and what they answer.

#ifndef GEMEL_TESTS_E2E_REPLY_ORACLE_DUEL_H_
#define GEMEL_TESTS_E2E_REPLY_ORACLE_DUEL_H_

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/reply_oracle_excuses.h"
#include "tests/e2e/reply_oracle_session.h"
#include "tests/e2e/reply_oracle_value.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::reply_oracle_test {

class Duel {
 public:
  // A complaint tells the last `recent` commands.
  Duel(uint16_t gemel, uint16_t redis, size_t recent)
      : gemel_port_(gemel), redis_port_(redis), most_recent_(recent) {
    Connect();
  }

  // New connections, of that protocol, to empty servers.
  void Begin(const std::string& protocol);
  // Whether the replies agreed. If not, an excuse or a complaint has been noted, what comes after
  // it was not compared, and Begin is next.
  bool Play(const Batch& batch);

  // All keys of the database, or those that the options say, found by SCAN: the same ones.
  bool Walk(const Words& options);

  size_t steps() const { return steps_; }
  // Rows that were answered with no error by both.
  const std::set<std::string, std::less<>>& answered() const { return answered_; }
  const std::vector<std::string>& complaints() const { return complaints_; }
  // How often each excuse was used, by its row and sentence.
  const std::map<std::string, size_t>& excused() const { return excused_; }

 private:
  void Connect();
  bool Judge(const Words& words, const std::string& gemel, const std::string& redis);
  bool JudgeBlock(const Value& gemel, const Value& redis);
  bool IsOfBlock(const Value& reply) const;
  static std::string WalkOn(Wire* wire, const Words& options);
  bool JudgeOne(const Words& words, const Value& gemel, const Value& redis);
  void Complain(std::string_view row, std::string_view gemel, std::string_view redis);

  const uint16_t gemel_port_;
  const uint16_t redis_port_;
  const size_t most_recent_;
  std::unique_ptr<Wire> gemel_;
  std::unique_ptr<Wire> redis_;
  Batch queued_;                    // of the block that is open
  std::deque<std::string> recent_;  // commands
  size_t steps_ = 0;
  std::set<std::string, std::less<>> answered_;
  std::vector<std::string> complaints_;
  std::set<std::string> complained_of_;
  std::map<std::string, size_t> excused_;
};

}  // namespace gemel::e2e::reply_oracle_test

#endif  // GEMEL_TESTS_E2E_REPLY_ORACLE_DUEL_H_
