#include "tests/e2e/random_writes.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "backend/command/key_finder.h"

namespace gemel::e2e {
namespace {

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}

// Whatever is there is gone: too often, and there would never be anything.
bool EmptiesDatabases(std::string_view row) {
  return row == "flushall" || row == "flushdb" || row == "swapdb";
}

// What others work on.
bool Fills(std::string_view row) {
  static const std::set<std::string_view> kRows = {"set",  "rpush",  "sadd",          "hset",
                                                   "zadd", "xadd",   "xgroup|create", "pfadd",
                                                   "mset", "geoadd", "incr",          "setbit"};
  return kRows.contains(row);
}

// Calls each command of ARGV, which are apart by their numbers of words.
constexpr const char* kCallAll =
    "local i = 1 "
    "while ARGV[i] do "
    "local n = tonumber(ARGV[i]) "
    "redis.pcall(unpack(ARGV, i + 1, i + n)) "
    "i = i + n + 1 "
    "end "
    "return i";
// The same, and an error at its end does not undo what was written.
constexpr const char* kFailAtTheEnd = "redis.call(unpack(ARGV)) error('no more')";
constexpr const char* kCallOne = "return redis.call(unpack(ARGV))";

}  // namespace

std::vector<std::string_view> RowsThatWrite() {
  std::vector<std::string_view> rows;
  for (const CommandRow& row : BuiltinCommands()) {
    const bool sent = row.split != Split::kLocal && row.split != Split::kNotSupported;
    if (sent && row.IsWrite() && row.second_copy != SecondCopy::kNotYet) rows.push_back(row.name);
  }
  return rows;
}

Makers AllMakers() {
  Makers all;
  for (const auto& makers : {StringMakers(), KeyMakers(), ListAndSetMakers(), SortedSetMakers(),
                             StreamMakers(), ScriptMakers()}) {
    all.insert(makers.begin(), makers.end());
  }
  return all;
}

Stock MakeStock(Client client) {
  Stock stock;
  const std::vector<Words> values = {
      {"SET", "{t}1", "value"},
      {"SET", "{t}2", "12"},
      {"RPUSH", "{t}3", "1", "two", "3"},
      {"SADD", "{t}4", "1", "2", "3"},
      {"SADD", "{t}5", "m1", "m2"},
      {"HSET", "{t}6", "m1", "1", "m2", "v"},
      {"ZADD", "{t}7", "1", "m1", "0.5", "2"},
      {"GEOADD", "{t}8", "1.5", "1.25", "m1"},
      {"PFADD", "{t}9", "m1", "m2"},
      {"XADD", "{t}x", "5-1", "f", "v"},
      {"XGROUP", "CREATE", "{t}x", "group0", "0"},
      {"XREADGROUP", "GROUP", "group0", "consumer0", "STREAMS", "{t}x", ">"},
  };
  for (const Words& words : values) {
    if (client.Run(words).IsError()) throw std::runtime_error("refused: " + words[0]);
  }
  for (const char key : std::string("123456789x")) {
    stock.dumps.push_back(client("DUMP", std::string("{t}") + key).bytes);
  }
  for (const std::string& text : ScriptTexts()) {
    stock.shas.push_back(client("SCRIPT", "LOAD", text).bytes);
  }
  if (client("FUNCTION", "LOAD", "REPLACE", FunctionLibrary()).IsError()) {
    throw std::runtime_error("the library of functions is refused");
  }
  if (client("FLUSHALL").IsError()) throw std::runtime_error("FLUSHALL is refused");
  return stock;
}

RandomWrites::RandomWrites(unsigned seed, const Stock& stock, Circumstances circumstances)
    : draw_(seed, stock, circumstances) {
  for (const auto& [row, maker] : AllMakers()) makers_.emplace_back(row, maker);
}

RandomWrites::Command RandomWrites::Next() {
  const bool fill = draw_.OneIn(3);
  while (true) {
    const auto& [row, maker] = makers_[draw_.Below(makers_.size())];
    if (fill && !Fills(row)) continue;
    if (EmptiesDatabases(row) && !draw_.OneIn(40)) continue;
    Command command{row, maker(draw_)};
    if (draw_.OneIn(30)) Spoil(&command.words);
    return command;
  }
}

void RandomWrites::Spoil(Words* words) {
  const size_t at = draw_.Below(words->size());
  switch (draw_.Below(4)) {
    case 0:
      if (words->size() > 1) words->pop_back();
      break;
    case 1:
      words->push_back(draw_.Member());
      break;
    case 2:
      if (at > 0) words->at(at) = draw_.Pick({"", "junk", "-1", "99999999999999999999", "nan"});
      break;
    default:
      if (at > 1) std::swap(words->at(at), words->at(at - 1));
  }
}

RandomWrites::Command RandomWrites::InScript() {
  const bool one = draw_.OneIn(3);
  Words argv;
  std::set<std::string> keys;
  for (size_t i = one ? 1 : 1 + draw_.Below(4); i > 0; --i) {
    const Words words = Next().words;
    const std::vector<std::string_view> args(words.begin(), words.end());
    std::vector<uint32_t> at;
    const CommandRow* row = Table().Find(args);
    if (row != nullptr && ArityFits(*row, args.size()) && FindKeys(*row, args, &at)) {
      for (const uint32_t key : at) keys.insert(words[key]);
    }
    if (!one) argv.push_back(std::to_string(words.size()));
    Add(&argv, words);
  }
  if (keys.empty()) keys.insert(draw_.AnyKey());
  if (draw_.OneIn(3)) keys.erase(std::next(keys.begin()), keys.end());  // it declares one alone
  Command command{"eval", {"EVAL", kCallAll, std::to_string(keys.size())}};
  if (one) command.words[1] = draw_.OneIn(5) ? kFailAtTheEnd : kCallOne;
  command.words.insert(command.words.end(), keys.begin(), keys.end());
  Add(&command.words, argv);
  return command;
}

// They find what has expired, and some write to caches within values.
Words RandomWrites::Read() {
  Draw& d = draw_;
  const std::vector<Words> reads = {
      {"GET", d.Key(ValueKind::kString)},
      {"LRANGE", d.Key(ValueKind::kList), "0", "-1"},
      {"SMEMBERS", d.Key(ValueKind::kSet)},
      {"HGETALL", d.Key(ValueKind::kHash)},
      {"ZRANGE", d.Key(ValueKind::kSorted), "0", "-1", "WITHSCORES"},
      {"XRANGE", d.Key(ValueKind::kStream), "-", "+", "COUNT", "5"},
      {"PFCOUNT", d.Key(ValueKind::kHyperLogLog), d.Key(ValueKind::kHyperLogLog)},
      {"EXISTS", d.AnyKey(), d.AnyKey()},
      {"TYPE", d.AnyKey()},
      {"PTTL", d.AnyKey()},
      {"SRANDMEMBER", d.Key(ValueKind::kSet), "3"},
      {"SUNION", d.Key(ValueKind::kSet), d.Key(ValueKind::kSet)},
  };
  return reads[d.Below(reads.size())];
}

}  // namespace gemel::e2e
