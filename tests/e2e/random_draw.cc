#include "tests/e2e/random_draw.h"

#include <chrono>

namespace gemel::e2e {

Draw::Draw(unsigned seed, const Stock& stock, Circumstances circumstances)
    : stock_(stock), circumstances_(circumstances), random_(seed) {
  ChooseTag();
}

std::string Draw::Pick(std::initializer_list<const char*> words) {
  return *(words.begin() + Below(words.size()));
}

void Draw::ChooseTag() { tag_ = "{" + std::to_string(Below(kTags)) + "}"; }

std::string Draw::Key(ValueKind kind) {
  if (OneIn(12)) return AnyKey();
  return tag_ + static_cast<char>(kind) + std::to_string(Below(3));
}

std::string Draw::AnyKey() {
  static constexpr ValueKind kKinds[] = {
      ValueKind::kString, ValueKind::kNumber, ValueKind::kBits,   ValueKind::kHyperLogLog,
      ValueKind::kList,   ValueKind::kSet,    ValueKind::kSorted, ValueKind::kGeo,
      ValueKind::kHash,   ValueKind::kStream};
  if (OneIn(2)) return tag_ + "any" + std::to_string(Below(2));
  return tag_ + static_cast<char>(kKinds[Below(std::size(kKinds))]) + std::to_string(Below(3));
}

std::string Draw::LexKey() {
  return tag_ + "lex" + std::to_string(Below(2));
}

Words Draw::Keys(ValueKind kind, size_t most) {
  Words keys;
  for (size_t i = Below(most) + 1; i > 0; --i) keys.push_back(Key(kind));
  return keys;
}

std::string Draw::Number(size_t bound) { return std::to_string(Below(bound)); }
std::string Draw::Signed() { return std::to_string(static_cast<int>(Below(200)) - 100); }
std::string Draw::Float() {
  return OneIn(2) ? Signed()
                  : Pick({"0.1", "-0.25", "1e10", "3.0e-3", "100.000001", "1.1", "-1e5", "0"});
}
std::string Draw::Value() {
  return OneIn(6) ? std::string(Below(300), 'v') : OneIn(3) ? Member() : Number(1000);
}
std::string Draw::Member() { return (OneIn(2) ? "m" : "") + Number(30); }
std::string Draw::RareMember() { return (OneIn(2) ? "m" : "") + Number(1000); }
size_t Draw::Count() { return OneIn(12) ? 100 + Below(100) : 1 + Below(4); }
std::string Draw::Index() { return std::to_string(static_cast<int>(Below(10)) - 5); }
std::string Draw::Database() { return Number(4); }
std::string Draw::ScoreBound() { return OneIn(5) ? Pick({"-inf", "+inf", "(0", "(1.1"}) : Float(); }
std::string Draw::LexBound() { return OneIn(4) ? Pick({"-", "+"}) : Pick({"[", "("}) + Member(); }
std::string Draw::Longitude() { return std::to_string(static_cast<int>(Below(20)) - 10) + ".5"; }
std::string Draw::Latitude() { return std::to_string(static_cast<int>(Below(20)) - 10) + ".25"; }

std::string Draw::Id() {
  if (OneIn(8)) return Pick({"0", "0-0", "5-1"});
  return std::to_string(Moment() - kMoment * static_cast<int64_t>(OneIn(2) ? 0 : Below(8))) + "-" +
         Number(4);
}
std::string Draw::PartOfId() { return OneIn(3) ? std::to_string(Moment()) + "-*" : "*"; }
std::string Draw::Group() { return "group" + Number(2); }
std::string Draw::Consumer() { return "consumer" + Number(3); }
std::string Draw::Dump() { return stock_.dumps[Below(stock_.dumps.size())]; }
std::string Draw::Sha() { return stock_.shas[Below(stock_.shas.size())]; }

int64_t Draw::Now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int64_t Draw::Moment() { return Now() / kMoment * kMoment; }

int64_t Draw::Life() {
  constexpr int64_t kLong = 3'600'000;
  if (!expiries() || OneIn(3)) return kLong;
  if (OneIn(10)) return -static_cast<int64_t>(Below(2000));
  return static_cast<int64_t>(OneIn(4) ? 1 + Below(1500) : 1 + Below(50));
}

std::string Draw::Milliseconds() { return std::to_string(Life()); }
std::string Draw::Seconds() {
  if (!expiries() || OneIn(2)) return "3600";
  return OneIn(8) ? "-1" : "1";
}
std::string Draw::UnixMilliseconds() { return std::to_string(Now() + Life()); }
std::string Draw::UnixSeconds() { return std::to_string((Now() + Life()) / 1000); }

}  // namespace gemel::e2e
