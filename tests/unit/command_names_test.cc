#include "backend/command/command_names.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gemel::command_names_test {
namespace {

using Args = std::vector<std::string_view>;

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}

CommandsConfig Rules(std::vector<CommandAlias> names, DebugFor debug = DebugFor::kNo) {
  CommandsConfig rules;
  rules.names = std::move(names);
  rules.debug = debug;
  return rules;
}

std::string Name(const CommandRow* row) { return row == nullptr ? "" : std::string(row->name); }

TEST(CommandNames, AreTheTablesWhereNothingIsSaid) {
  const CommandNames names(&Table());
  for (const CommandRow& row : Table().rows()) {
    EXPECT_EQ(names.IsHidden(row), row.name.starts_with("debug")) << row.name;
  }
  EXPECT_EQ(Name(names.Find(Args{"GeT", "k"})), "get");
  EXPECT_EQ(Name(names.Find(Args{"config", "SET"})), "config|set");
  EXPECT_EQ(names.Find(Args{"nosuch"}), nullptr);
  Args args = {"nosuch", "x"};
  EXPECT_EQ(names.FindOtherwise(&args, true), nullptr);
  EXPECT_EQ(names.NotFoundError(args), Table().NotFoundError(args));
}

TEST(CommandNames, WhatIsDisabledIsUnknown) {
  const CommandNames names(&Table(), Rules({{"flushall", ""}, {"config|set", ""}, {"client", ""}}));
  Args args = {"FLUSHALL"};
  EXPECT_EQ(names.Find(args), nullptr);
  EXPECT_EQ(names.FindOtherwise(&args, true), nullptr);
  EXPECT_EQ(names.NotFoundError(args),
            "ERR unknown command 'flushall': it is disabled here, by [commands] disabled in the "
            "config of gemel");
  EXPECT_EQ(names.Find(Args{"config", "set", "a", "b"}), nullptr);
  EXPECT_EQ(Name(names.Find(Args{"config", "get", "a"})), "config|get");
  EXPECT_TRUE(names.NotFoundError(Args{"config", "set"}).find("'config set': it is disabled") !=
              std::string::npos);
  EXPECT_EQ(names.Find(Args{"client", "id"}), nullptr) << "with all that belongs to it";
  EXPECT_EQ(names.Find(Args{"client", "nosuch"}), nullptr);
  EXPECT_EQ(Name(names.Find(Args{"flushdb"})), "flushdb");
}

TEST(CommandNames, WhatIsRenamedHasItsOtherNameAlone) {
  const CommandNames names(&Table(), Rules({{"keys", "Slow-Keys"},
                                            {"config", "c0nfig"},
                                            {"config|set", ""},
                                            {"get", "set"},
                                            {"set", "get"}}));
  Args args = {"keys", "*"};
  EXPECT_EQ(names.Find(args), nullptr);
  EXPECT_EQ(names.FindOtherwise(&args, true), nullptr);
  EXPECT_EQ(names.NotFoundError(args), UnknownCommandError(args)) << "the other name is not told";
  args = {"SLOW-keys", "*"};
  EXPECT_EQ(names.Find(args), nullptr);
  EXPECT_EQ(Name(names.FindOtherwise(&args, false)), "keys");
  EXPECT_EQ(args, (Args{"keys", "*"}));
  args = {"C0NFIG", "get", "x"};
  EXPECT_EQ(Name(names.FindOtherwise(&args, false)), "config|get");
  EXPECT_EQ(args[0], "config");
  args = {"c0nfig", "set", "x", "y"};
  EXPECT_EQ(names.FindOtherwise(&args, false), nullptr) << "that is disabled";
  EXPECT_EQ(args[0], "c0nfig") << "as it was";
  args = {"config", "get", "x"};
  EXPECT_EQ(names.FindOtherwise(&args, false), nullptr);
  // Names may change places.
  args = {"set", "k"};
  EXPECT_EQ(names.Find(args), nullptr);
  EXPECT_EQ(Name(names.FindOtherwise(&args, false)), "get");
}

TEST(CommandNames, DebugIsForWhomTheConfigSays) {
  Args args = {"debug", "sleep", "0"};
  for (const DebugFor debug : {DebugFor::kNo, DebugFor::kLocal, DebugFor::kYes}) {
    const CommandNames names(&Table(), Rules({}, debug));
    EXPECT_EQ(names.Find(args) != nullptr, debug == DebugFor::kYes);
    if (debug == DebugFor::kYes) continue;
    EXPECT_EQ(names.FindOtherwise(&args, true) != nullptr, debug == DebugFor::kLocal);
    EXPECT_EQ(names.FindOtherwise(&args, false), nullptr);
    EXPECT_TRUE(names.NotFoundError(args).starts_with("ERR DEBUG command not allowed"));
  }
}

std::string Wrong(std::vector<CommandAlias> names) {
  Config config;
  config.file = "f";
  config.pools.emplace_back().command_rules.names = std::move(names);
  const std::optional<ConfigError> error = CheckCommandNames(config);
  return error ? error->ToString() : "";
}

TEST(CommandNames, ConfigsThatSayWhatCannotBe) {
  EXPECT_EQ(Wrong({{"keys", "k"}, {"config|set", ""}, {"get", "set"}, {"set", "get"}}), "");
  EXPECT_EQ(Wrong({{"flushal", "", 3, 7}}),
            "f:3:7: [commands] disabled: there is no command \"flushal\"; COMMAND LIST names them");
  EXPECT_EQ(Wrong({{"keys", "GET", 1, 1}}),
            "f:1:1: [commands] renamed: the second name of \"keys\" is that of another command, "
            "expected one that none has");
  EXPECT_EQ(Wrong({{"keys", "k", 1, 1}, {"scan", "K", 1, 9}}),
            "f:1:9: [commands] renamed: the second name of \"scan\" was given to a command before, "
            "expected each one once");
}

}  // namespace
}  // namespace gemel::command_names_test
