#include "tests/e2e/reply_oracle_session.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "backend/command/ascii.h"
#include "backend/command/command_table.h"
#include "tests/e2e/reply_oracle_values.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::reply_oracle_test {
namespace {

// "~" is a tag.
const char* const kFill[] = {
    "MSET ~s0 abc ~s1 ohmytext ~s2 mynewtext ~n0 5 ~n1 -7 ~n2 1.5",
    "SETBIT ~b0 7 1",
    "SETBIT ~b1 100 1",
    "PFADD ~p0 m1 m2",
    "PFADD ~p1 m2 m3 m4",
    "RPUSH ~l0 3 1 2 3 m1",
    "RPUSH ~l1 m1 m2 10",
    "SADD ~e0 1 2 3 30",
    "SADD ~e1 m1 m2 1",
    "SADD ~e2 2 3",
    "ZADD ~z0 1 m1 2.5 m2 -3 7",
    "ZADD ~z1 0 m1 0 m3 inf m5",
    "ZADD ~lex0 0 m1 0 m2 0 1 0 20 0 m29",
    "ZADD ~lex1 0 m5 0 6",
    "GEOADD ~g0 1.5 1.25 m1 2.5 3.25 m2 -9.5 -3.25 5",
    "GEOADD ~g1 0.5 0.25 m1",
    "HSET ~h0 f0 1 f1 v f2 2.5",
    "HSET ~h1 m1 10 m2 x",
    "XADD ~x0 5-1 f1 v f2 w",
    "XADD ~x0 6-0 f1 v",
    "XADD ~x0 9-2 f1 z",
    "XADD ~x1 1-1 a b",
    "XGROUP CREATE ~x0 group0 0",
    "XGROUP CREATE ~x0 group1 $",
    "XGROUP CREATE ~x1 group0 0",
    "XREADGROUP GROUP group0 consumer0 COUNT 2 STREAMS ~x0 >",
    "EXPIRE ~s1 3600",
    "SET ~any0 5",
    "SADD ~any1 5",
};
constexpr const char* kLibrary =
    "#!lua name=oracle\n"
    "redis.register_function{function_name='read',flags={'no-writes'},"
    "callback=function(keys,args) return {#keys,args,redis.call('type',keys[1])} end}\n"
    "redis.register_function('put',"
    "function(keys,args) return redis.call('set',keys[1],args[1]) end)\n"
    // What is not declared.
    "redis.register_function('beside',function(keys,args) redis.call('incr',keys[1]..':beside') "
    "return redis.call('set',keys[1]..':undeclared',#args) end)\n"
    "redis.register_function('keyless',function(keys,args) if #keys>0 then return #args end "
    "return {redis.call('incr','keyless:f'),redis.pcall('lpush','keyless:f',1).err,"
    "redis.call('del','keyless:f')} end)";

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}

bool EmptiesDatabases(std::string_view row) {
  return row == "flushall" || row == "flushdb" || row == "swapdb";
}
// They end what a block is, or what a reply is compared with.
bool ChangesSession(std::string_view row) {
  static const std::set<std::string_view> kRows = {"multi", "exec",  "discard", "watch", "unwatch",
                                                   "reset", "hello", "select",  "auth"};
  return kRows.contains(row);
}
// Refused in a block where there are several shards.
bool IsOfAllShards(std::string_view row) {
  static const std::set<std::string_view> kRows = {"dbsize", "flushall", "flushdb",  "keys",
                                                   "scan",   "swapdb",   "randomkey"};
  return kRows.contains(row);
}

// What came of it is not the same on two servers: then it is taken away. Empty: it is the same.
Words Untangled(const Words& words) {
  const std::string_view row = RowOf(words);
  if (words.size() < 2) return {};
  const auto has = [&](std::string_view lower) {
    return std::find_if(words.begin() + 2, words.end(),
                        [&](const std::string& word) { return EqualsLower(word, lower); });
  };
  if (row == "spop") return {"DEL", words[1]};
  if (row == "xadd" && has("*") != words.end()) return {"DEL", words[1]};
  if (row == "sort" && has("by") != words.end()) {
    const auto store = has("store");
    if (store != words.end() && store + 1 != words.end()) return {"DEL", *(store + 1)};
  }
  return {};
}

}  // namespace

std::string_view RowOf(const Words& words) {
  const std::vector<std::string_view> args(words.begin(), words.end());
  const CommandRow* row = args.empty() ? nullptr : Table().Find(args);
  return row == nullptr ? "?" : row->name;
}

RandomSession::RandomSession(const std::vector<Grammar>& rows, unsigned seed, const Stock& stock,
                             SessionKind kind)
    : rows_(rows),
      kind_(kind),
      draw_(seed, stock, {}),
      maker_(&draw_, kind.spread, kind.libraries) {}

void RandomSession::ChooseTag() {
  if (kind_.spread) draw_.ChooseTag();
}

Batch RandomSession::Fill() {
  Batch batch;
  std::set<std::string> tags;
  for (int i = 0; i < (kind_.spread ? 12 : 1); ++i) {
    ChooseTag();
    const std::string key = draw_.LexKey();
    tags.insert(key.substr(0, key.find('}') + 1));
  }
  for (const std::string& tag : tags) {
    for (const char* line : kFill) {
      Words words = WordsOf(line);
      for (std::string& word : words) {
        if (word[0] == '~') word.replace(0, 1, tag);
      }
      batch.push_back(words);
    }
  }
  batch.push_back({"FUNCTION", "LOAD", "REPLACE", kLibrary});
  for (const std::string& text : OracleScripts()) batch.push_back({"SCRIPT", "LOAD", text});
  return batch;
}

const Grammar& RandomSession::Row() {
  for (;;) {
    const Grammar& grammar = rows_[draw_.Below(rows_.size())];
    if (!EmptiesDatabases(grammar.row) || draw_.OneIn(12)) return grammar;
  }
}

void RandomSession::AddCommand(bool in_block, Batch* batch) {
  const Grammar* grammar = &Row();
  while ((in_block && kind_.spread && IsOfAllShards(grammar->row)) ||
         (ChangesSession(grammar->row) && !draw_.OneIn(4))) {
    grammar = &Row();
  }
  if (!in_block) ChooseTag();
  Words words = maker_.Make(*grammar);
  if (draw_.OneIn(12)) maker_.Spoil(&words);
  if (RowOf(words) == "multi" && !in_block) return;  // see AddBlock
  batch->push_back(words);
  if (Words more = Untangled(words); !more.empty()) batch->push_back(std::move(more));
  if (EmptiesDatabases(RowOf(words)) && !in_block) {
    for (Words& filling : Fill()) batch->push_back(std::move(filling));
  }
}

void RandomSession::AddBlock(Batch* batch) {
  ChooseTag();
  if (draw_.OneIn(4)) batch->push_back({"WATCH", maker_.Key(), maker_.Key()});
  batch->push_back({"MULTI"});
  for (size_t i = draw_.Below(6); i > 0; --i) AddCommand(/*in_block=*/true, batch);
  batch->push_back({draw_.OneIn(8) ? "DISCARD" : "EXEC"});
}

void RandomSession::AddMisuse(Batch* batch) {
  switch (draw_.Below(6)) {
    case 0:
      batch->push_back({draw_.Pick({"EXEC", "DISCARD", "exec x", "MULTI x"})});
      return;
    case 1:
      batch->push_back(
          {draw_.Pick({"nothing", "", "GET|x", "object|encoding", "\n", "config"}), draw_.Value()});
      return;
    case 2:
      batch->push_back({draw_.Pick({"OBJECT", "XINFO", "xgroup", "CONFIG", "client", "MEMORY"}),
                        draw_.Pick({"nothing", "", "HELP", "ENCODING"}), draw_.Value()});
      return;
    case 3:
      Add(&batch->emplace_back(), {"MULTI"});
      Add(&batch->emplace_back(),
          {draw_.Pick({"MULTI", "WATCH", "nothing", "GET", "AUTH", "RESET"})});
      AddCommand(/*in_block=*/true, batch);
      batch->push_back({"EXEC"});
      return;
    case 4:
      batch->push_back({"HELLO", draw_.Pick({"2", "3"})});
      return;
    default:
      batch->push_back({"SELECT", draw_.Number(4)});
      if (draw_.OneIn(3)) {
        for (Words& filling : Fill()) batch->push_back(std::move(filling));
      }
      return;
  }
}

Batch RandomSession::Next() {
  Batch batch;
  if (draw_.OneIn(10)) {
    AddBlock(&batch);
  } else if (draw_.OneIn(12)) {
    AddMisuse(&batch);
  } else {
    for (size_t i = 1 + draw_.Below(6); i > 0; --i) AddCommand(/*in_block=*/false, &batch);
  }
  return batch;
}

Words RandomSession::ScanOptions() {
  Words options;
  if (draw_.OneIn(2)) Add(&options, {"COUNT", draw_.Pick({"1", "3", "7", "100"})});
  if (draw_.OneIn(2)) Add(&options, {"MATCH", draw_.Pick({"*", "{?}s*", "*1", "nothing"})});
  if (draw_.OneIn(2)) Add(&options, {"TYPE", draw_.Pick({"string", "zset", "stream", "hash"})});
  return options;
}

Batch RandomSession::Of(std::string_view row) {
  const auto found = std::find_if(rows_.begin(), rows_.end(),
                                  [&](const Grammar& grammar) { return grammar.row == row; });
  if (found == rows_.end()) throw std::runtime_error("no such row");
  ChooseTag();
  Batch batch;
  if (row == "exec" || row == "discard") batch.push_back({"MULTI"});
  batch.push_back(maker_.Make(*found));
  if (Words more = Untangled(batch.back()); !more.empty()) batch.push_back(std::move(more));
  if (row == "multi") batch.push_back({"DISCARD"});
  return batch;
}

}  // namespace gemel::e2e::reply_oracle_test
