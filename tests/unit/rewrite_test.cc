// What follows a write that one copy executes first: rewrites, and scripts that are confined.

#include "backend/command/rewrite.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/script_guard.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel::rewrite_test {
namespace {

using Args = std::vector<std::string_view>;

using Texts = std::vector<std::string>;

Texts Lines(const Texts& frames) {
  Texts lines;
  for (const std::string& frame : frames) {
    Args words;
    SplitFrame(frame, &words);
    std::string line;
    for (const std::string_view word : words) line += (line.empty() ? "" : " ") + std::string(word);
    lines.push_back(line);
  }
  return lines;
}

Args Split(std::string_view line) {
  Args words;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

// What follows, in words; "?" where it cannot be told.
Texts Follow(Rewrite rewrite, std::string_view line, std::string_view reply,
             const Texts& answers = {}) {
  Texts frames;
  const Args args = Split(line);
  if (!rewrite({args, reply, answers}, &frames)) return {"?"};
  return Lines(frames);
}

Texts Questions(AskFirst ask, std::string_view line) {
  Texts frames;
  const Args args = Split(line);
  ask(args, &frames);
  return Lines(frames);
}

std::string Bulk(std::string_view text) {
  std::string out;
  AppendBulk(&out, text);
  return out;
}

std::string Array(const Texts& elements, char type = '*') {
  const size_t count = type == '%' ? elements.size() / 2 : elements.size();
  std::string out = type + std::to_string(count) + "\r\n";
  for (const std::string& element : elements) out += element;
  return out;
}

// An entry, and one that is gone.
std::string Entry(std::string_view id) { return Array({Bulk(id), Array({Bulk("f"), Bulk("v")})}); }
std::string Gone(std::string_view id) { return Array({Bulk(id), "_\r\n"}); }

std::string Spop(const Args& args, std::string_view reply) {
  Texts frames;
  if (!RewriteSpop({args, reply}, &frames)) return "?";
  return frames.empty() ? "" : Lines(frames)[0];
}

TEST(Rewrite, Spop) {
  EXPECT_EQ(Spop({"spop", "k"}, "$1\r\na\r\n"), "SREM k a");
  EXPECT_EQ(Spop({"spop", "k"}, "$0\r\n\r\n"), "SREM k ");
  EXPECT_EQ(Spop({"spop", "k"}, "$-1\r\n"), "");
  EXPECT_EQ(Spop({"spop", "k", "2"}, "*2\r\n$1\r\na\r\n$1\r\nb\r\n"), "SREM k a b");
  EXPECT_EQ(Spop({"spop", "k", "2"}, "*0\r\n"), "");
}

TEST(Rewrite, Zremrangebylex) {
  const std::string line = "zremrangebylex k [a (c";
  EXPECT_EQ(Questions(AskZremrangebylex, line), Texts{"ZRANGEBYLEX k [a (c"});
  EXPECT_EQ(Follow(RewriteZremrangebylex, line, ":2\r\n", {Array({Bulk("a"), Bulk("b")})}),
            Texts{"ZREM k a b"});
  EXPECT_EQ(Follow(RewriteZremrangebylex, line, ":0\r\n", {Array({})}), Texts{});
  EXPECT_EQ(Follow(RewriteZremrangebylex, line, ":3\r\n", {Array({Bulk("a"), Bulk("b")})}),
            Texts{"?"});
}

TEST(Rewrite, Xadd) {
  const std::string id = Bulk("7-1");
  EXPECT_EQ(Follow(RewriteXadd, "xadd k * f v", id), Texts{"xadd k 7-1 f v"});
  EXPECT_EQ(Follow(RewriteXadd, "xadd k 7-* f *", id), Texts{"xadd k 7-1 f *"});
  EXPECT_EQ(Follow(RewriteXadd, "xadd k NOMKSTREAM MAXLEN = 5 * f v", id),
            Texts{"xadd k NOMKSTREAM MAXLEN = 5 7-1 f v"});
  EXPECT_EQ(Follow(RewriteXadd, "xadd k minid 5 * f v", id), Texts{"xadd k minid 5 7-1 f v"});
  EXPECT_EQ(Follow(RewriteXadd, "xadd k nomkstream * f v", "_\r\n"), Texts{});
  // Trimmed by layout: to the length that was left.
  for (const char* line :
       {"xadd k MAXLEN ~ 5 * f v", "xadd k nomkstream minid ~ 5 limit 3 9 f v"}) {
    EXPECT_EQ(Questions(AskXadd, line), Texts{"XLEN k"});
    EXPECT_EQ(Follow(RewriteXadd, line, id, {":99\r\n"}), Texts{"xadd k MAXLEN = 99 7-1 f v"});
    EXPECT_EQ(Follow(RewriteXadd, line, id, {"-ERR\r\n"}), Texts{"?"});
  }
  EXPECT_EQ(Questions(AskXadd, "xadd k MAXLEN = 5 * f v"), Texts{});
}

TEST(Rewrite, Xtrim) {
  EXPECT_EQ(Questions(AskXtrim, "xtrim k MAXLEN ~ 5"), Texts{"XLEN k"});
  EXPECT_EQ(Follow(RewriteXtrim, "xtrim k MAXLEN ~ 5", ":3\r\n", {":40\r\n"}),
            Texts{"XTRIM k MAXLEN = 40"});
  EXPECT_EQ(Follow(RewriteXtrim, "xtrim k MAXLEN ~ 5", ":0\r\n", {":40\r\n"}), Texts{});
}

TEST(Rewrite, Xreadgroup) {
  const std::string line = "xreadgroup group g c count 9 streams k l > 0";
  EXPECT_EQ(Questions(AskXreadgroup, line), (Texts{"XINFO GROUPS k", "XINFO CONSUMERS k g",
                                                   "XINFO GROUPS l", "XINFO CONSUMERS l g"}));
  const auto groups = [](std::string_view read) {
    const Texts other = {Bulk("name"), Bulk("other"),        Bulk("last-delivered-id"),
                         Bulk("8-8"),  Bulk("entries-read"), ":88\r\n"};
    const Texts fields = {
        Bulk("name"),         Bulk("g"),        Bulk("last-delivered-id"), Bulk("2-0"),
        Bulk("entries-read"), std::string(read)};
    return Array({Array(other, '%'), Array(fields, '%')});
  };
  const std::string there =
      Array({Array({Bulk("name"), Bulk("d")}, '%'), Array({Bulk("name"), Bulk("c")}, '%')});
  const std::string nobody = Array({});
  const Texts answers = {groups(":2\r\n"), there, groups("_\r\n"), there};
  const Texts expected = {"XCLAIM k g c 0 1-0 2-0 RETRYCOUNT 1 FORCE JUSTID",
                          "XGROUP SETID k g 2-0 ENTRIESREAD 2", "XCLAIM l g c 0 5-0"};
  const std::string fresh = Array({Entry("1-0"), Entry("2-0")});
  const std::string old = Array({Gone("4-0"), Entry("5-0")});
  EXPECT_EQ(
      Follow(RewriteXreadgroup, line, Array({Bulk("k"), fresh, Bulk("l"), old}, '%'), answers),
      expected);
  EXPECT_EQ(Follow(RewriteXreadgroup, line,
                   Array({Array({Bulk("k"), fresh}), Array({Bulk("l"), old})}), answers),
            expected);
  // A stream of which nothing was new has no part; the consumer is there from now on, or is not.
  EXPECT_EQ(Follow(RewriteXreadgroup, line, Array({Bulk("l"), Array({})}, '%'), answers),
            (Texts{"XGROUP CREATECONSUMER k g c", "XGROUP CREATECONSUMER l g c"}));
  const std::string one = "xreadgroup group g c streams k >";
  EXPECT_EQ(Follow(RewriteXreadgroup, one, "_\r\n", {answers[0], there}),
            Texts{"XGROUP CREATECONSUMER k g c"});
  EXPECT_EQ(Follow(RewriteXreadgroup, one, "_\r\n", {answers[0], nobody}), Texts{});
  EXPECT_EQ(Follow(RewriteXreadgroup, "xreadgroup group g c noack streams k >",
                   Array({Bulk("k"), fresh}, '%'), {answers[2], there}),
            (Texts{"XGROUP SETID k g 2-0", "XGROUP CREATECONSUMER k g c"}));
  EXPECT_EQ(Follow(RewriteXreadgroup, one, Array({Bulk("x"), fresh}, '%'), {answers[0], there}),
            Texts{"?"});
  EXPECT_EQ(Follow(RewriteXreadgroup, one, Array({Bulk("k"), fresh}, '%'), {"-ERR no\r\n", there}),
            Texts{"?"});
}

TEST(Rewrite, Xclaim) {
  const std::string line = "xclaim k g c 5 1 02-0 3-1 IDLE 7 FORCE";
  EXPECT_EQ(Follow(RewriteXclaim, line, Array({Entry("1-0"), Entry("2-0"), Entry("3-1")})),
            Texts{"xclaim k g c 0 1 02-0 3-1 IDLE 7 FORCE"});
  // The rest was busy, or is pending no more because its entry is gone.
  const std::string rest = "xclaim k g c 9223372036854775807 1 3-1 JUSTID";
  EXPECT_EQ(Follow(RewriteXclaim, line, Array({Bulk("2-0")})),
            (Texts{"xclaim k g c 0 02-0 IDLE 7 FORCE", rest}));
  // Twice, and claimed once: the second time it was not idle any more.
  const std::string twice = "XCLAIM k g c 3 2-0 2-0";
  EXPECT_EQ(Follow(RewriteXclaim, twice, Array({Bulk("2-0")})),
            (Texts{"XCLAIM k g c 0 2-0", "XCLAIM k g c 9223372036854775807 2-0 JUSTID"}));
  EXPECT_EQ(Follow(RewriteXclaim, twice, Array({Bulk("2-0"), Bulk("2-0")})),
            (Texts{"XCLAIM k g c 0 2-0 2-0"}));
  EXPECT_EQ(Follow(RewriteXclaim, "xclaim k g c 5 1 3-1 LASTID 9", Array({})),
            Texts{rest + " LASTID 9"});
  EXPECT_EQ(Follow(RewriteXclaim, line, Array({Entry("9-0")})), Texts{"?"});
}

TEST(Rewrite, Xautoclaim) {
  const auto reply = [](const Texts& claimed, const Texts& gone) {
    return Array({Bulk("0-0"), Array(claimed), Array(gone)});
  };
  const std::string line = "xautoclaim k g c 5 0 count 3";
  EXPECT_EQ(Follow(RewriteXautoclaim, line, reply({Entry("1-0"), Entry("2-0")}, {Bulk("3-0")})),
            (Texts{"XCLAIM k g c 0 1-0 2-0", "XACK k g 3-0"}));
  EXPECT_EQ(Follow(RewriteXautoclaim, line + " JustId", reply({Bulk("1-0")}, {})),
            Texts{"XCLAIM k g c 0 1-0 JUSTID"});
  EXPECT_EQ(Follow(RewriteXautoclaim, line, reply({}, {})), Texts{});
  EXPECT_EQ(Follow(RewriteXautoclaim, line, Array({Bulk("0-0"), Array({})})), Texts{"?"});
}

// The second word: the script as the first copy gets it.
std::string Confined(std::string_view script) {
  const std::string frame = ConfineScript(Args{"EVAL", script, "1", "k", "v"});
  Args words;
  SplitFrame(frame, &words);
  EXPECT_EQ(words.size(), 5u);
  EXPECT_EQ(words[0], "EVAL");
  EXPECT_EQ(words[2], "1");
  EXPECT_EQ(words[4], "v");
  return std::string(words[1]);
}

TEST(ConfineScript, KeepsTheLines) {
  const std::string plain = Confined("return 1\nreturn 2");
  EXPECT_TRUE(plain.starts_with("local redis,"));
  EXPECT_TRUE(plain.ends_with(";return 1\nreturn 2"));
  EXPECT_EQ(std::count(plain.begin(), plain.end(), '\n'), 1);
  const std::string shebang = Confined("#!lua flags=no-writes\nreturn 1");
  EXPECT_TRUE(shebang.starts_with("#!lua flags=no-writes\nlocal redis,"));
  EXPECT_TRUE(shebang.ends_with(";return 1"));
  EXPECT_EQ(Confined("#!lua"), "#!lua");  // no script, as the server will say
}

TEST(ConfineScript, ToMoreThanItsKeys) {
  const Args args = {"EVAL", "#!lua\nreturn 1 -- one", "1", "k"};
  const auto text = [&](const ScriptScope& scope) {
    const std::string frame = ConfineScriptTo(scope, args);
    Args words;
    SplitFrame(frame, &words);
    return std::string(words[1]);
  };
  EXPECT_EQ(text({}), Confined(args[1]));
  const std::string stops = text({ScriptScope::Others::kSameTag, "{}", false});
  EXPECT_TRUE(stops.starts_with("#!lua\nlocal redis,"));
  EXPECT_TRUE(stops.ends_with(";return 1 -- one"));
  EXPECT_NE(stops.find("any,a,b,stopped,told=false,'\\123','\\125',"), stops.npos);
  EXPECT_FALSE(IsConfined(stops)) << "it may have keys that it can change";
  EXPECT_TRUE(IsConfined(text({ScriptScope::Others::kAll, "", false})));
  const std::string tells = text({ScriptScope::Others::kAll, "", true});
  EXPECT_TRUE(tells.ends_with("(function(...) return 1 -- one\nend)"));
  EXPECT_NE(tells.find("any,a,b,stopped,told=true,'','',"), tells.npos);
  EXPECT_EQ(std::count(tells.begin(), tells.end(), '\n'), 2) << "lines stay what they are";
}

TEST(ConfineScript, HidesAKey) {
  const std::string hidden =
      WithHiddenKey(Args{"EVAL", "#!lua\nreturn #KEYS", "0", "v"}, "k", false);
  EXPECT_EQ(hidden, CommandFrame({"EVAL", "#!lua\nlocal KEYS={};return #KEYS", "1", "k", "v"}));
  Args words;
  SplitFrame(hidden, &words);
  for (const auto others : {ScriptScope::Others::kNone, ScriptScope::Others::kAll}) {
    EXPECT_NE(ConfineScriptTo({others, "", false}, words).find("over.KEYS={}"), hidden.npos);
    EXPECT_NE(ConfineScriptTo({others, "", true}, words).find("over.KEYS={}"), hidden.npos);
  }
}

TEST(ConfineScript, IsTakenAway) {
  for (const char* script : {"return 1", "#!lua\nreturn 1\nreturn 2"}) {
    EXPECT_TRUE(IsConfined(Confined(script)));
    EXPECT_EQ(WithoutConfinement(Confined(script)), script);
  }
}

TEST(ConfineCall, ByItsLastArgument) {
  const std::string none = CallScopeFor({});
  const Args call = {"FCALL", "f", "1", "k", "v", none};
  EXPECT_TRUE(HasCallScope(call));
  EXPECT_TRUE(IsConfinedCall(call));
  EXPECT_FALSE(HasCallScope(Args{"FCALL", "f", "1", "k", "v"}));
  EXPECT_FALSE(IsConfinedCall(Args{"FCALL", "f", "1", "k", "v"}));
  EXPECT_FALSE(IsConfinedCall(Args{"FCALL", "f", "0", FreeCallScope()}));
  const ScriptScope stops = {ScriptScope::Others::kSameTag, "{}", false};
  const ScriptScope tells = {ScriptScope::Others::kAll, "", true};
  EXPECT_EQ(ConfineCallTo(stops, call),
            CommandFrame({"FCALL", "f", "1", "k", "v", "gemel:scope:st-{}"}));
  EXPECT_EQ(ConfineCallTo(tells, call),
            CommandFrame({"FCALL", "f", "1", "k", "v", "gemel:scope:ta-"}));
  EXPECT_EQ(ConfineCallTo(stops, Args{"FCALL", "f", "1", "k", "v"}),
            CommandFrame({"FCALL", "f", "1", "k", "v"}));
  Args shown = call;
  AsClientCalled(&shown);
  EXPECT_EQ(shown, (Args{"FCALL", "f", "1", "k", "v"}));
  AsClientCalled(&shown);
  EXPECT_EQ(shown.size(), 5u);
  const std::string hidden = WithHiddenKey(Args{"FCALL", "f", "0", "v", none}, "k", true);
  Args words;
  SplitFrame(hidden, &words);
  EXPECT_EQ(ConfineCallTo(tells, words),
            CommandFrame({"FCALL", "f", "1", "k", "v", "gemel:scope:tah"}));
  AsClientCalled(&words);
  EXPECT_EQ(words, (Args{"FCALL", "f", "0", "v"}));
}

TEST(ConfineScript, Reports) {
  EXPECT_FALSE(IsStopped("-ERR no\r\n"));
  EXPECT_FALSE(IsStopped("$19\r\n [gemel:stopped:61]\r\n"));
  EXPECT_FALSE(IsStopped("-ERR no [gemel:stopped:61 script: x\r\n"));
  EXPECT_TRUE(IsStopped("-ERR no [gemel:stopped:6100] script: x\r\n"));
  EXPECT_EQ(WithoutStop("-ERR no [gemel:stopped:61] script: x\r\n"), "-ERR no script: x\r\n");
  EXPECT_EQ(StoppedAt("-ERR no [gemel:stopped:610a] script: x\r\n"), "a\n");
  EXPECT_EQ(StoppedAt("-ERR no [gemel:stopped:x] script: x\r\n"), "");
  const auto read = [](std::string_view reply) {
    const ScriptReport report = ReadScriptReport(reply);
    std::string text = report.reply + std::to_string(report.memory);
    for (const std::string& key : report.keys) text += " " + key;
    return text;
  };
  EXPECT_EQ(read("*3\r\n:5\r\n*1\r\n$1\r\nx\r\n*1\r\n:1\r\n"), "*1\r\n:1\r\n5 x");
  EXPECT_EQ(read("*2\r\n:0\r\n*0\r\n"), "_\r\n0");
  EXPECT_EQ(read("-ERR a\r\n"), "-ERR a\r\n0");
  EXPECT_EQ(read("-ERR a [gemel:keys:61,] b\r\n"), "-ERR a b\r\n0 a ");
  EXPECT_EQ(read("-ERR a [gemel:keys:6] b\r\n"), "-ERR a [gemel:keys:6] b\r\n0") << "the script's";
  EXPECT_EQ(read("-ERR [gemel:keys:61] [gemel:keys:62] b\r\n"), "-ERR [gemel:keys:61] b\r\n0 b");
}

}  // namespace
}  // namespace gemel::rewrite_test
