#include "tests/e2e/reply_oracle_words.h"

#include <algorithm>
#include <map>
#include <set>

#include "backend/command/ascii.h"
#include "tests/e2e/reply_oracle_values.h"

namespace gemel::e2e::reply_oracle_test {
namespace {

// gemel sends each key to its shard.
bool IsSplit(std::string_view row) {
  static const std::set<std::string_view> kRows = {"mget",   "mset",   "del",
                                                   "unlink", "exists", "touch"};
  return kRows.contains(row);
}

// Of other sorted sets the order of members decides nothing.
bool IsOfMembers(std::string_view row) {
  return row == "zrangebylex" || row == "zrevrangebylex" || row == "zlexcount" ||
         row == "zremrangebylex";
}

bool HasWord(const Words& words, std::string_view lower) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return EqualsLower(word, lower); });
}

}  // namespace

Words WordMaker::Make(const Grammar& grammar) {
  grammar_ = &grammar;
  words_.clear();
  numkeys_ = 0;
  keys_ = 0;
  for (const std::string& word : grammar.Name()) words_.push_back(MixedCase(word));
  if (const ValueMaker whole = MakerOfArguments(grammar.row); whole != nullptr) {
    Add(&words_, WordsOfValue(whole(draw_)));
    return words_;
  }
  Walk(grammar.arguments);
  if (grammar.row == "zrange" || grammar.row == "zrangestore") MakeRanges();
  return words_;
}

void WordMaker::Walk(const std::vector<Argument>& arguments) {
  std::vector<const Argument*> order;
  for (const Argument& argument : arguments) order.push_back(&argument);
  // Options stand in any order.
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    if (order[i]->optional && order[i + 1]->optional && draw_.OneIn(4)) {
      std::swap(order[i], order[i + 1]);
    }
  }
  for (const Argument* argument : order) {
    if (argument->token == "BLOCK") continue;  // who waits cannot be compared in turns
    if (argument->optional && !draw_.OneIn(3)) continue;
    WalkOne(*argument);
  }
}

void WordMaker::WalkOne(const Argument& argument) {
  const size_t repetitions = Repetitions(argument);
  if (argument.type == "key" && argument.multiple) keys_ = repetitions;
  for (size_t i = 0; i < repetitions; ++i) {
    if (!argument.token.empty() && (i == 0 || argument.repeats_token)) {
      words_.push_back(MixedCase(argument.token));
    }
    if (argument.type == "block") {
      Walk(argument.parts);
    } else if (argument.type == "oneof") {
      WalkOne(argument.parts[draw_.Below(argument.parts.size())]);
    } else if (argument.type != "pure-token") {
      words_.push_back(Value(argument));
    }
  }
}

size_t WordMaker::Repetitions(const Argument& argument) {
  if (!argument.multiple) return 1;
  const bool counted = argument.type == "key" || argument.name == "weight";
  if (counted && numkeys_ > 0) return numkeys_;
  // Of XREAD, one ID for each key.
  if (keys_ > 0 && argument.name == "id" && grammar_->row.starts_with("xread")) return keys_;
  if (argument.type == "block" && draw_.OneIn(25)) return 100 + draw_.Below(60);
  return 1 + draw_.Below(3);
}

std::string WordMaker::Value(const Argument& argument) {
  if (argument.name == "numkeys") {
    numkeys_ = 1 + draw_.Below(3);
    return std::to_string(numkeys_);
  }
  if (argument.type == "key") return KeyOfGroup();
  if (argument.type == "pattern" && grammar_->row.starts_with("sort")) return SortPattern();
  if (grammar_->row == "function|restore" && !draw_.OneIn(4)) return libraries_;
  if (draw_.OneIn(40)) return Odd();
  return MakerOfValue(grammar_->row, argument)(draw_);
}

std::string WordMaker::KeyOfGroup() {
  static const std::map<std::string_view, std::string_view> kKinds = {
      {"string", "ssnb"}, {"bitmap", "bbs"}, {"hyperloglog", "p"},
      {"list", "l"},      {"set", "e"},      {"sorted-set", "zzze"},
      {"geo", "g"},       {"hash", "h"},     {"stream", "x"},
  };
  if (spread_ && IsSplit(grammar_->row)) draw_.ChooseTag();
  if (IsOfMembers(grammar_->row)) return draw_.LexKey();
  static const std::set<std::string_view> kNumbers = {"incr", "incrby", "decr", "decrby",
                                                      "incrbyfloat"};
  if (kNumbers.contains(grammar_->row)) return draw_.Key(ValueKind::kNumber);
  if (grammar_->row.starts_with("sort")) {
    return draw_.Key(static_cast<ValueKind>("lez"[draw_.Below(3)]));
  }
  const auto kinds = kKinds.find(grammar_->group);
  if (kinds == kKinds.end() || draw_.OneIn(12)) return Key();
  return draw_.Key(static_cast<ValueKind>(kinds->second[draw_.Below(kinds->second.size())]));
}

std::string WordMaker::Key() {
  static constexpr std::string_view kKinds = "snbplezghx";
  if (draw_.OneIn(10)) return draw_.AnyKey();
  return draw_.Key(static_cast<ValueKind>(kKinds[draw_.Below(kKinds.size())]));
}

// With a tag it names keys that are where the sorted one is.
std::string WordMaker::SortPattern() {
  if (draw_.OneIn(3)) return draw_.Pick({"#", "nosort", "", "#"});
  const bool field = draw_.OneIn(3);
  std::string pattern = draw_.Key(field ? ValueKind::kHash : ValueKind::kNumber);
  pattern.back() = '*';
  return field ? pattern + "->f1" : pattern;
}

// What bounds a range is known when its option is.
void WordMaker::MakeRanges() {
  const size_t first = grammar_->row == "zrange" ? 2 : 3;
  const bool by_lex = HasWord(words_, "bylex");
  const bool by_score = HasWord(words_, "byscore");
  if (words_.size() < first + 2) return;
  for (size_t i = first; i < first + 2; ++i) {
    words_[i] = by_lex ? draw_.LexBound() : by_score ? draw_.ScoreBound() : draw_.Index();
  }
  if (by_lex) words_[first - 1] = draw_.LexKey();
}

std::string WordMaker::MixedCase(std::string word) {
  const size_t how = draw_.Below(8);
  for (char& c : word) {
    const bool upper = how < 4 || (how == 7 && draw_.OneIn(2));
    c = upper ? AsciiUpper(c) : AsciiLower(c);
  }
  return word;
}

std::string WordMaker::Odd() {
  static const std::vector<std::string> kOdd = {
      "",
      std::string("\0\x01\xff\r\n", 5),
      "notanumber",
      "1.5",
      "-1",
      "0",
      "9223372036854775807",
      "-9223372036854775808",
      "9223372036854775808",
      "18446744073709551616",
      "4294967296",
      "nan",
      "inf",
      "-inf",
      "+inf",
      " 1",
      "1 ",
      "+1",
      "01",
      "-0",
      "0x10",
      "1e3",
      "1e400",
      "(",
      "[",
      "(1",
      "*",
      "?",
      "-",
      "$",
      ">",
      "0-0",
      "5-",
      "NX",
      "XX",
      "GET",
      "EX",
      "COUNT",
      "LIMIT",
      "STORE",
      "WITHSCORES",
      "MATCH",
      "KEEPTTL",
      "JUSTID",
      "\xc3\xa9",
      std::string(70, 'y'),
      std::string(300, 'x'),
  };
  return kOdd[draw_.Below(kOdd.size())];
}

void WordMaker::Spoil(Words* words) {
  const size_t names = 1;
  const size_t arguments = words->size() - names;
  switch (draw_.Below(6)) {
    case 0:
      if (arguments > 0) words->pop_back();
      return;
    case 1:
      words->push_back(Odd());
      return;
    case 2:
      if (arguments > 0) (*words)[names + draw_.Below(arguments)] = Odd();
      return;
    case 3:
      if (arguments > 1) {
        std::swap((*words)[names + draw_.Below(arguments)],
                  (*words)[names + draw_.Below(arguments)]);
      }
      return;
    case 4:
      words->resize(names + draw_.Below(arguments + 1));
      return;
    default:
      if (arguments > 0) (*words)[names + draw_.Below(arguments)] = Key();
      return;
  }
}

}  // namespace gemel::e2e::reply_oracle_test
