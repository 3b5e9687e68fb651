#include "proxy/local/command_replies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gemel::command_replies_test {
namespace {

using Args = std::vector<std::string_view>;

// How it reads for a client of RESP2, or (`form` kAsItIs) of RESP3.
std::string Reply(const Args& args, Resp2Form form = Resp2Form::kPlain,
                  std::string_view of_node = {}) {
  ExtraCommand extra;
  extra.name = "json.get";
  const CommandTable table({extra});
  const CommandRow* row = table.Find(args);
  EXPECT_TRUE(ArityFits(*row, args.size()));
  std::string reply;
  if (row->local == LocalCommand::kCommandDocs) {
    AppendCommandDocs(CommandNames(&table), std::span(args).subspan(2), of_node, &reply);
  } else {
    EXPECT_TRUE(AppendCommandReply(CommandNames(&table), row->local, args, &reply));
  }
  if (form == Resp2Form::kAsItIs) return reply;
  std::string out;
  AppendInResp2(reply, row->FormIn2(args.size()), &out);
  return out;
}

std::string Resp3Reply(const Args& args) { return Reply(args, Resp2Form::kAsItIs); }

// The number of values at the top of the reply that `*p` stands at; moves it behind the whole
// reply.
void Skip(std::string_view reply, size_t* p) {
  const size_t end = reply.find("\r\n", *p);
  ASSERT_NE(end, std::string_view::npos);
  const char type = reply[*p];
  const long n = std::atol(std::string(reply.substr(*p + 1, end - *p - 1)).c_str());
  *p = end + 2;
  if (type == '$' && n >= 0) *p += static_cast<size_t>(n) + 2;
  if (type == '*') {
    for (long i = 0; i < n; ++i) ASSERT_NO_FATAL_FAILURE(Skip(reply, p));
  }
}

bool WellFormed(std::string_view reply) {
  size_t p = 0;
  Skip(reply, &p);
  return p == reply.size();
}

bool Has(const std::string& reply, std::string_view part) {
  return reply.find(part) != std::string::npos;
}

// The key specification of GET; a map has so many elements for each of its fields.
std::string Spec(char map, int each) {
  const auto header = [&](int fields) {
    return std::string(1, map) + std::to_string(fields * each) + "\r\n";
  };
  const std::string set(1, map == '%' ? '~' : '*');
  return set + "1\r\n" + header(3) + "$5\r\nflags\r\n" + set +
         "2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n" + header(2) +
         "$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n" + header(1) +
         "$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n" + header(2) +
         "$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n" + header(3) +
         "$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n";
}

TEST(CommandReplies, Info) {
  EXPECT_EQ(
      Reply({"command", "info", "GET", "nope", "psync", "config|get"}),
      "*4\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
      "*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n" +
          Spec('*', 2) +
          "*0\r\n*-1\r\n*-1\r\n"
          "*10\r\n$10\r\nconfig|get\r\n:-3\r\n*4\r\n+admin\r\n+noscript\r\n+loading\r\n+stale\r\n"
          ":0\r\n:0\r\n:0\r\n*3\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n*0\r\n*0\r\n*0\r\n");
  const std::string all = Reply({"command"});
  EXPECT_TRUE(WellFormed(all));
  EXPECT_EQ(all, Reply({"command", "info"}));
  EXPECT_TRUE(Has(all, "$8\r\njson.get\r\n"));
  EXPECT_TRUE(Has(all, "$11\r\nclient|list\r\n"));
  EXPECT_TRUE(Has(all, "$12\r\nmemory|usage\r\n"));
  EXPECT_FALSE(Has(all, "$5\r\npsync\r\n"));
  EXPECT_TRUE(Has(all, "$7\r\nmonitor\r\n"));
  EXPECT_FALSE(Has(all, "$6\r\nmodule\r\n"));
  EXPECT_TRUE(Has(all, "$15\r\nclient|tracking\r\n"));
}

TEST(CommandReplies, CountIsTheLengthOfCommand) {
  const std::string all = Reply({"command"});
  EXPECT_EQ(Reply({"command", "count"}), ":" + all.substr(1, all.find('\n')));
}

TEST(CommandReplies, Docs) {
  EXPECT_EQ(Reply({"command", "docs", "Get", "nope"}),
            "*2\r\n$3\r\nget\r\n*6\r\n$7\r\nsummary\r\n$22\r\nGet the value of a key\r\n"
            "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n");
  EXPECT_EQ(Reply({"command", "docs", "nope"}), "*0\r\n");
  const std::string all = Reply({"command", "docs"});
  EXPECT_TRUE(WellFormed(all));
  EXPECT_TRUE(Has(all, "proxy|explain"));
  EXPECT_TRUE(Has(all, "json.get"));
  EXPECT_TRUE(WellFormed(Reply({"command", "docs", "config"})));
}

// As Redis 7.0 writes them: src/server.c, addReplyCommandInfo and addReplyCommandDocs.
TEST(CommandReplies, InResp3) {
  EXPECT_EQ(Resp3Reply({"command", "info", "get", "nope"}),
            "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
            "~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n" +
                Spec('%', 1) + "~0\r\n_\r\n");
  EXPECT_EQ(Resp3Reply({"command", "docs", "get"}),
            "%1\r\n$3\r\nget\r\n%3\r\n$7\r\nsummary\r\n$22\r\nGet the value of a key\r\n"
            "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n");
  EXPECT_EQ(Resp3Reply({"command", "getkeysandflags", "get", "a"}),
            "*1\r\n*2\r\n$1\r\na\r\n~2\r\n+RO\r\n+access\r\n");
}

// A node tells more of a command than gemel knows. Subcommands that cannot be used here are left
// out, and what the node does not know is gemel's.
TEST(CommandReplies, DocsOfANode) {
  const std::string of_node =
      "%3\r\n$3\r\nget\r\n%1\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n"
      "$6\r\nnosuch\r\n%0\r\n"
      "$6\r\nmodule\r\n%0\r\n";
  EXPECT_EQ(Reply({"command", "docs", "get", "module"}, Resp2Form::kAsItIs, of_node),
            "%1\r\n$3\r\nget\r\n%1\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n");
  EXPECT_EQ(Reply({"command", "docs", "get"}, Resp2Form::kAsItIs, "-ERR unknown\r\n"),
            Resp3Reply({"command", "docs", "get"}));
  const std::string of_object =
      "%1\r\n$7\r\ncluster\r\n%2\r\n$5\r\nsince\r\n$1\r\n3\r\n$11\r\nsubcommands\r\n"
      "%2\r\n$12\r\ncluster|meet\r\n%0\r\n$12\r\ncluster|info\r\n%0\r\n";
  const std::string docs = Reply({"command", "docs", "cluster"}, Resp2Form::kAsItIs, of_object);
  EXPECT_TRUE(Has(docs, "$12\r\ncluster|info\r\n%0\r\n"));
  EXPECT_FALSE(Has(docs, "cluster|meet"));
  EXPECT_TRUE(Has(docs, "$13\r\ncluster|slots\r\n%3\r\n")) << "which the node does not tell";
}

TEST(CommandReplies, List) {
  EXPECT_TRUE(Has(Reply({"command", "list"}), "$3\r\nget\r\n"));
  EXPECT_EQ(Reply({"command", "list", "FilterBy", "PATTERN", "?ge[s-u]"}),
            "*2\r\n$4\r\nhget\r\n$4\r\nmget\r\n");
  EXPECT_EQ(Reply({"command", "list", "filterby", "pattern", "GE[^a-s]"}), "*1\r\n$3\r\nget\r\n");
  EXPECT_EQ(Reply({"command", "list", "filterby", "pattern", "\\get?el"}),
            "*1\r\n$6\r\ngetdel\r\n");
  EXPECT_EQ(Reply({"command", "list", "filterby", "pattern", "*config|*t"}),
            "*3\r\n$10\r\nconfig|get\r\n$16\r\nconfig|resetstat\r\n$10\r\nconfig|set\r\n");
  for (std::string_view odd : {"[", "[^", "[a-", "\\", "***", "[]]", ""}) {
    EXPECT_TRUE(WellFormed(Reply({"command", "list", "filterby", "pattern", odd}))) << odd;
  }
  EXPECT_TRUE(Has(Reply({"command", "list", "filterby", "aclcat", "HASH"}), "$4\r\nhget\r\n"));
  EXPECT_EQ(Reply({"command", "list", "filterby", "aclcat", "nope"}), "*0\r\n");
  EXPECT_EQ(Reply({"command", "list", "filterby", "module", "json"}), "*0\r\n");
  EXPECT_EQ(Reply({"command", "list", "filterby", "x", "json"}), "-ERR syntax error\r\n");
  EXPECT_EQ(Reply({"command", "list", "filterby", "aclcat"}), "-ERR syntax error\r\n");
  EXPECT_EQ(Reply({"command", "list", "x"}), "-ERR syntax error\r\n");
}

TEST(CommandReplies, GetKeys) {
  EXPECT_EQ(Reply({"command", "getkeys", "mset", "a", "1", "b", "2"}),
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(Reply({"command", "getkeys", "eval", "s", "0"}), "*0\r\n");
  EXPECT_EQ(Reply({"command", "getkeys", "nope", "0"}), "-ERR Invalid command specified\r\n");
  EXPECT_EQ(Reply({"command", "getkeys", "config", "get", "a"}),
            "-ERR The command has no key arguments\r\n");
  EXPECT_EQ(Reply({"command", "getkeys", "ssubscribe", "a"}),
            "-ERR The command has no key arguments\r\n");
  EXPECT_EQ(Reply({"command", "getkeys", "get", "a", "b"}),
            "-ERR Invalid number of arguments specified for command\r\n");
  EXPECT_EQ(Reply({"command", "getkeys", "zunion", "9", "b"}),
            "-ERR Invalid arguments specified for command\r\n");
  EXPECT_EQ(Reply({"command", "getkeysandflags", "get", "a"}),
            "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n");
  EXPECT_EQ(Reply({"command", "getkeysandflags", "set", "a", "b"}),
            "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+OW\r\n+update\r\n");
  EXPECT_EQ(Reply({"command", "getkeysandflags", "set", "a", "b", "get"}),
            "*1\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+update\r\n");
  EXPECT_EQ(Reply({"command", "getkeysandflags", "sort", "a", "store", "b"}),
            "*2\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n"
            "*2\r\n$1\r\nb\r\n*2\r\n+OW\r\n+update\r\n");
}

TEST(CommandReplies, Help) {
  EXPECT_TRUE(WellFormed(Reply({"command", "help"})));
  EXPECT_TRUE(Has(Reply({"proxy", "help"}), "+EXPLAIN <full-command>\r\n"));
  std::string out;
  const CommandTable table;
  EXPECT_FALSE(AppendCommandReply(CommandNames(&table), LocalCommand::kPing, Args{"ping"}, &out));
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace gemel::command_replies_test
