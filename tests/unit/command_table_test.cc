#include "backend/command/command_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "backend/command/command_docs.h"
#include "backend/command/second_copy.h"

namespace gemel::command_table_test {
namespace {

using Args = std::vector<std::string_view>;

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}

std::string NameOf(const Args& args) {
  const CommandRow* row = Table().Find(args);
  return row == nullptr ? "(none)" : std::string(row->name);
}

TEST(CommandTable, FindsEveryRowInAnyCase) {
  for (const CommandRow& row : Table().rows()) {
    std::string name(row.name), upper, mixed;
    for (size_t i = 0; i < name.size(); ++i) {
      const char c = static_cast<char>(std::toupper(name[i]));
      upper += c;
      mixed += i % 2 == 0 ? c : name[i];
    }
    for (const std::string& spelled : {name, upper, mixed}) {
      EXPECT_EQ(Table().FindByName(spelled), &row) << spelled;
      const size_t bar = spelled.find('|');
      const std::string first = spelled.substr(0, bar);
      if (bar == std::string::npos) {
        EXPECT_EQ(Table().Find(Args{first}), &row) << spelled;
      } else {
        const std::string second = spelled.substr(bar + 1);
        EXPECT_EQ(Table().Find(Args{first, second}), &row) << spelled;
        EXPECT_EQ(Table().Find(Args{first, second, "x"}), &row) << spelled;
      }
    }
  }
}

TEST(CommandTable, ContainersAndUnknownNames) {
  EXPECT_EQ(NameOf({"config"}), "config");
  EXPECT_EQ(NameOf({"CONFIG", "GET"}), "config|get");
  EXPECT_EQ(NameOf({"config", "nope"}), "(none)");
  EXPECT_EQ(NameOf({"config|get", "x"}), "(none)");
  EXPECT_EQ(NameOf({"command"}), "command");
  EXPECT_EQ(NameOf({"proxy", "Explain", "get", "k"}), "proxy|explain");
  EXPECT_EQ(NameOf({"get", "config"}), "get");
  for (std::string_view name :
       {"", "g", "ge", "gett", "get ", "geT\xdf", "get|", "|", "GEORADIUSBYMEMBER_RX",
        "georadiuxbymember_ro", "georadiusbymember_ro_", "seT\x01", "zz", "[et", "{et", "@et"}) {
    EXPECT_EQ(NameOf({name}), "(none)") << name;
  }
  EXPECT_EQ(NameOf({std::string_view("get\0", 4)}), "(none)");
  EXPECT_EQ(NameOf({std::string_view("get\0\0\0\0\0", 8)}), "(none)");
  EXPECT_EQ(NameOf({std::string(100000, 'g')}), "(none)");
  EXPECT_EQ(Table().FindByName("config|nope"), nullptr);
  EXPECT_EQ(Table().FindByName("get|nope"), nullptr);
  EXPECT_EQ(Table().FindByName("nope|get"), nullptr);
}

// A byte other than the one looked for, with the same bit 5, must not match.
TEST(CommandTable, OnlyLettersFold) {
  std::string name = "get";
  for (size_t i = 0; i < name.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      std::string other = name;
      other[i] = static_cast<char>(c);
      if (std::tolower(static_cast<unsigned char>(c)) == name[i]) continue;
      EXPECT_TRUE(NameOf({other}) == "(none)" || NameOf({other}) == "set") << other;
    }
  }
}

TEST(CommandTable, RowsAreSortedOnceAndConsistent) {
  std::string_view before;
  for (const CommandRow& row : Table().rows()) {
    SCOPED_TRACE(row.name);
    EXPECT_LT(before, row.name);
    before = row.name;
    EXPECT_NE(row.arity, 0);
    EXPECT_EQ(row.movable != Movable::kNone, row.key_rule == KeyRule::kMovable);
    EXPECT_EQ(row.local != LocalCommand::kNone, row.split == Split::kLocal);
    if (row.split == Split::kNotSupported || row.second_copy == SecondCopy::kNotYet) {
      EXPECT_FALSE(row.refusal.empty());
      EXPECT_FALSE(row.refusal.starts_with("ERR "));
    }
    if (row.split == Split::kEachKey || row.split == Split::kEachShard) {
      EXPECT_NE(row.merge, Merge::kNone);
    }
    EXPECT_TRUE(row.split != Split::kOneShard || row.merge == Merge::kNone);
    // One copy can go first only where there is one shard, and keys to be copied.
    if (OneCopyFirst(row.second_copy)) {
      EXPECT_EQ(row.split, Split::kOneShard);
      EXPECT_NE(row.key_rule, KeyRule::kNone);
    }
    if (row.arg_rule == ArgRule::kNone) {
      EXPECT_EQ(row.rewrite != nullptr, row.second_copy == SecondCopy::kRewrite);
    }
    EXPECT_TRUE(row.ask == nullptr || row.rewrite != nullptr);
    EXPECT_TRUE(row.confine == nullptr || row.second_copy == SecondCopy::kStateCopy);
    // Redis's write flag is never more than what the proxy does; EVAL and PFCOUNT are less.
    EXPECT_TRUE((row.flags & kCmdWrite) == 0 || row.IsWrite() || row.split == Split::kLocal);
    EXPECT_TRUE(!row.HasOneKey() || row.arity >= 2 || row.arity <= -2);
    const CommandDoc* doc = FindCommandDoc(row.name);
    ASSERT_NE(doc, nullptr);
    EXPECT_FALSE(doc->summary.empty());
    EXPECT_FALSE(doc->group.empty());
  }
  EXPECT_EQ(FindCommandDoc("nope"), nullptr);
  EXPECT_EQ(BuiltinCommands().size(), Table().rows().size());
}

TEST(CommandTable, ColumnsOfSomeRows) {
  const auto row = [](std::string_view name) { return *Table().FindByName(name); };
  EXPECT_TRUE(row("get").HasOneKey());
  EXPECT_FALSE(row("get").IsWrite());
  EXPECT_TRUE(row("set").IsWrite());
  EXPECT_FALSE(row("object|freq").HasOneKey());
  EXPECT_EQ(row("mget").split, Split::kEachKey);
  EXPECT_EQ(row("mget").merge, Merge::kByKey);
  EXPECT_EQ(row("mset").merge, Merge::kAllOk);
  EXPECT_EQ(row("msetnx").split, Split::kOneShard);
  EXPECT_EQ(row("del").merge, Merge::kSum);
  EXPECT_EQ(row("keys").merge, Merge::kConcat);
  EXPECT_EQ(row("scan").split, Split::kCursor);
  EXPECT_EQ(row("randomkey").merge, Merge::kFirstFull);
  EXPECT_NE(row("hscan").flags & kCmdPrimaryOnly, 0u);
  EXPECT_EQ(row("eval").second_copy, SecondCopy::kStateCopy);
  EXPECT_TRUE(row("eval").IsWrite());
  EXPECT_FALSE(row("eval_ro").IsWrite());
  EXPECT_EQ(row("spop").second_copy, SecondCopy::kRewrite);
  for (std::string_view name : {"psync", "cluster|meet", "module|list", "migrate", "script|debug"}) {
    EXPECT_EQ(row(name).split, Split::kNotSupported) << name;
  }
  EXPECT_EQ(row("memory|usage").split, Split::kOneShard);
  EXPECT_EQ(row("proxy|shards").local, LocalCommand::kProxyShards);
}

// Each handler is reached by some row.
TEST(CommandTable, EveryLocalCommandHasARow) {
  std::set<LocalCommand> reached;
  for (const CommandRow& row : Table().rows()) reached.insert(row.local);
  EXPECT_EQ(reached.size(), static_cast<size_t>(LocalCommand::kCount));
}

TEST(CommandTable, Arity) {
  CommandRow row{};
  row.arity = 2;
  EXPECT_FALSE(ArityFits(row, 1));
  EXPECT_TRUE(ArityFits(row, 2));
  EXPECT_FALSE(ArityFits(row, 3));
  row.arity = -2;
  EXPECT_FALSE(ArityFits(row, 1));
  EXPECT_TRUE(ArityFits(row, 2));
  EXPECT_TRUE(ArityFits(row, 200));
}

TEST(CommandTable, ExtraCommands) {
  ExtraCommand read;
  read.name = "json.get";
  ExtraCommand write;
  write.name = "JSON.SET";
  write.arity = -4;
  write.write = write.deterministic = true;
  ExtraCommand random;
  random.name = "bf.with.a.very.long.name.indeed";
  random.write = true;
  random.last_key = -2;
  ExtraCommand keyless;
  keyless.name = "ft._list";
  keyless.first_key = keyless.last_key = keyless.key_step = 0;
  ExtraCommand bar;
  bar.name = "a|b";
  CommandTable table({read, write, random, keyless, bar});
  EXPECT_EQ(table.rows().size(), BuiltinCommands().size() + 5);

  const CommandRow* row = table.Find(Args{"JSON.Get", "k"});
  ASSERT_NE(row, nullptr);
  EXPECT_TRUE(row->HasOneKey());
  EXPECT_FALSE(row->IsWrite());
  EXPECT_EQ(row->arity, -2);  // not -1: the key must be there
  row = table.Find(Args{"json.set", "k"});
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->second_copy, SecondCopy::kSameBytes);
  EXPECT_EQ(row->arity, -4);
  row = table.Find(Args{"BF.with.a.very.LONG.name.indeed"});
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->second_copy, SecondCopy::kStateCopy);
  EXPECT_EQ(row->arity, -3);
  EXPECT_EQ(table.Find(Args{"bf.with.a.very.lung.name.indeed"}), nullptr);
  row = table.Find(Args{"ft._list"});
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->key_rule, KeyRule::kNone);
  EXPECT_EQ(row->arity, -1);
  EXPECT_NE(table.Find(Args{"a|b"}), nullptr);
  EXPECT_NE(table.Find(Args{"config", "get"}), nullptr);
  EXPECT_NE(table.Find(Args{"get"}), nullptr);
}

TEST(CommandErrors, Sentences) {
  EXPECT_EQ(UnknownCommandError(Args{"foo"}),
            "ERR unknown command 'foo', with args beginning with: ");
  EXPECT_EQ(UnknownCommandError(Args{"foo", "a", ""}),
            "ERR unknown command 'foo', with args beginning with: 'a' '' ");
  const std::string long_arg(200, 'x');
  EXPECT_EQ(UnknownCommandError(Args{long_arg, long_arg, "y"}),
            "ERR unknown command '" + long_arg.substr(0, 128) + "', with args beginning with: '" +
                long_arg.substr(0, 128) + "' ");
  const std::string_view nul("a\0b\r\n", 5);
  EXPECT_EQ(UnknownCommandError(Args{"f\r\no", nul, "c"}),
            "ERR unknown command 'f  o', with args beginning with: 'a' 'c' ");
  EXPECT_EQ(UnknownSubcommandError(Args{"CoNFIG", "b\nla"}),
            "ERR unknown subcommand 'b la'. Try CONFIG HELP.");
  EXPECT_EQ(ArityError(*Table().FindByName("config|get")),
            "ERR wrong number of arguments for 'config|get' command");
  EXPECT_EQ(Table().NotFoundError(Args{"config", "x"}),
            "ERR unknown subcommand 'x'. Try CONFIG HELP.");
  EXPECT_EQ(Table().NotFoundError(Args{"confi", "x"}),
            "ERR unknown command 'confi', with args beginning with: 'x' ");
}

}  // namespace
}  // namespace gemel::command_table_test
