// Chance for tests: keys, values, members, times, of few kinds, so that commands meet.

#ifndef GEMEL_TESTS_E2E_RANDOM_DRAW_H_
#define GEMEL_TESTS_E2E_RANDOM_DRAW_H_

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "tests/e2e/client.h"

namespace gemel::e2e {

// What random commands need of a server, made once.
struct Stock {
  std::vector<std::string> dumps;  // values of each type, for RESTORE
  std::vector<std::string> shas;   // of scripts that are known, for EVALSHA
};

// What keys of a kind hold, if nobody wrote another type there.
enum class ValueKind : char {
  kString = 's',
  kNumber = 'n',
  kBits = 'b',
  kHyperLogLog = 'p',
  kList = 'l',
  kSet = 'e',
  kSorted = 'z',
  kGeo = 'g',
  kHash = 'h',
  kStream = 'x',
};

// What there is beside the commands themselves.
struct Circumstances {
  bool expiries = false;  // keys are given times at which they expire
  bool resyncs = false;   // copies are made equal by the servers' own replication at times
};

class Draw {
 public:
  Draw(unsigned seed, const Stock& stock, Circumstances circumstances);

  size_t Below(size_t bound) { return random_() % bound; }
  bool OneIn(size_t n) { return Below(n) == 0; }
  std::string Pick(std::initializer_list<const char*> words);
  bool expiries() const { return circumstances_.expiries; }
  bool resyncs() const { return circumstances_.resyncs; }

  // All keys have this hash tag from now on, so that one shard has them.
  void ChooseTag();
  // Mostly of that kind, sometimes of any.
  std::string Key(ValueKind kind);
  std::string AnyKey();
  // Of a sorted set for ranges of members: all have one score, or else even ZRANGEBYLEX and
  // ZREMRANGEBYLEX of one server may find others.
  std::string LexKey();
  // `most` keys or fewer, at least one.
  Words Keys(ValueKind kind, size_t most = 3);

  std::string Number(size_t bound = 100);
  std::string Signed();  // an integer, negative ones too
  std::string Float();
  std::string Value();
  std::string Member();
  std::string RareMember();  // of many
  size_t Count();       // of members that are added at once: few, or so many that encodings change
  std::string Index();  // of a list or a range, from either end
  std::string Database();
  std::string ScoreBound();
  std::string LexBound();
  std::string Longitude();
  std::string Latitude();
  // Of streams. IDs are few, so that they are found, and of late, so that "*" may follow.
  std::string Id();
  std::string PartOfId();  // "*" or "ms-*"
  std::string Group();
  std::string Consumer();
  std::string Dump();
  std::string Sha();

  // How long a key lives: soon over, past already, or longer than any test.
  std::string Seconds();
  std::string Milliseconds();
  std::string UnixSeconds();
  std::string UnixMilliseconds();

 private:
  static constexpr size_t kTags = 4;
  static constexpr int64_t kMoment = 200;  // milliseconds
  static int64_t Now();                    // in milliseconds
  static int64_t Moment();                 // the same, in steps
  int64_t Life();                          // in milliseconds

  const Stock& stock_;
  const Circumstances circumstances_;
  std::mt19937 random_;
  std::string tag_;
};

// A command that grows.
inline void Add(Words* words, std::initializer_list<std::string> more) {
  words->insert(words->end(), more);
}
inline void Add(Words* words, const Words& more) {
  words->insert(words->end(), more.begin(), more.end());
}

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_RANDOM_DRAW_H_
