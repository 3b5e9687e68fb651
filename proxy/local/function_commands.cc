// FUNCTION LOAD, DELETE, FLUSH, LIST, DUMP and RESTORE, on the libraries that gemel keeps. A node
// says whether code can be loaded; then it is kept, and every node gets it before the client hears.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "backend/command/ascii.h"
#include "backend/command/block.h"
#include "backend/command/script_guard.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/scripts/function_dump.h"
#include "proxy/scripts/function_store.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr std::string_view kNotKept =
    "-ERR the code was loaded, but its library's name cannot be told: begin it with a line like "
    "#!lua name=mylib\r\n";

// Every node has in line what is to be different there; then the client is answered.
void Spread(SessionContext* context, Request* place, std::string answer) {
  GatherPtr gather =
      Gather::Make(context->dispatcher, place,
                   [answer = std::move(answer)](const std::vector<PartReply>&, std::string* out) {
                     out->append(answer);
                   });
  gather->AddEachShard(*context->pool, RequestKind::kLibraries, nullptr, {});
  Gather::Launch(std::move(gather));
}

// One of a map's values; nothing if it has no such name.
std::string_view FieldOf(std::string_view map, std::string_view name) {
  std::vector<std::string_view> fields;
  SplitArray(map, &fields);
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    if (ReplyText(fields[i]) == name) return fields[i + 1];
  }
  return {};
}

// A library's functions, from a reply to FUNCTION LIST.
std::vector<FunctionLibrary::Function> FunctionsOf(const std::string& library,
                                                   std::string_view list) {
  std::vector<FunctionLibrary::Function> found;
  std::vector<std::string_view> libraries;
  SplitArray(list, &libraries);
  for (const std::string_view one : libraries) {
    if (ReplyText(FieldOf(one, "library_name")) != library) continue;
    std::vector<std::string_view> functions;
    SplitArray(FieldOf(one, "functions"), &functions);
    for (const std::string_view each : functions) {
      std::vector<std::string_view> flags;
      SplitArray(FieldOf(each, "flags"), &flags);
      const bool reads = std::any_of(flags.begin(), flags.end(), [](std::string_view flag) {
        return ReplyText(flag) == "no-writes";
      });
      found.push_back({std::string(ReplyText(FieldOf(each, "name"))), !reads});
    }
  }
  return found;
}

// Libraries on their way in. A node loads each as it is, so that all that is wrong with it is said
// in its words, and in the same breath as all nodes get it; then what it has registered is asked.
class Loading : public RequestSink {
 public:
  Loading(Session* session, Request* place, std::vector<FunctionLibrary> libraries, bool alone,
          bool tells_name)
      : session_(session),
        place_(place),
        libraries_(std::move(libraries)),
        alone_(alone),
        tells_name_(tells_name) {}

  void Send(const CommandRow& row) {
    SessionContext& context = session_->context();
    Request* request = context.dispatcher->New();
    ByteBuffer& frame = request->Extra().owned;
    frame.Append(kMultiFrame);
    if (alone_) {
      for (const FunctionLibrary& old : context.functions->Libraries()) {
        ++before_;
        frame.Append(CommandFrame({"FUNCTION", "DELETE", old.name}));
      }
    }
    for (const FunctionLibrary& library : libraries_) {
      frame.Append(CommandFrame({"FUNCTION", "LOAD", "REPLACE", library.code}));
      frame.Append(CommandFrame({"FUNCTION", "LOAD", "REPLACE", ConfineLibrary(library.code)}));
    }
    frame.Append(CommandFrame({"FUNCTION", "LIST"}));
    frame.Append(kExecFrame);
    request->sink = this;
    request->block = true;
    request->primary_only = true;
    request->row = &row;
    request->shard = static_cast<uint16_t>(context.pool->shards()[0].slot);
    request->session = place_->session;
    request->reply_log2 = place_->reply_log2;
    request->frame = frame.view();
    session_->pace().Sent(request->shard);
    context.dispatcher->Submit(request);
  }

 private:
  bool Wanted() const override { return place_->sink->Wanted(); }

  void OnReply(Request* request, const Reply& reply) override {
    SessionContext& context = session_->context();
    context.dispatcher->Answered(*request);
    std::string answer = Take(reply.bytes);
    context.dispatcher->Free(request);
    if (answer[0] == '-') {
      // That node may have some of it.
      for (const FunctionLibrary& library : libraries_) context.functions->Renew(library.name);
      if (alone_) {
        for (const FunctionLibrary& old : context.functions->Libraries()) {
          context.functions->Renew(old.name);
        }
      }
    }
    Spread(&context, place_, std::move(answer));
    delete this;
  }

  // The client's answer; unless it is an error, the libraries are kept now.
  std::string Take(std::string_view reply) {
    std::vector<std::string_view> elements;
    if (reply[0] == '-') return std::string(reply);
    SplitArray(reply, &elements);
    if (elements.size() != before_ + 2 * libraries_.size() + 1) {
      return "-ERR the shard has no answer\r\n";
    }
    const auto loaded = elements.begin() + static_cast<ptrdiff_t>(before_);
    for (size_t i = 0; i < libraries_.size(); ++i) {
      for (const size_t at : {2 * i, 2 * i + 1}) {
        if (loaded[at][0] == '-') return std::string(loaded[at]);
      }
      if (ReplyText(loaded[2 * i]) != libraries_[i].name) {
        libraries_[i].name = ReplyText(loaded[2 * i]);
        return std::string(kNotKept);
      }
    }
    FunctionStore* store = session_->context().functions;
    if (!store->Fits(libraries_, alone_)) {
      return "-OOM the libraries of functions would take more than [limits] scripts\r\n";
    }
    if (alone_) store->Clear();
    for (FunctionLibrary& library : libraries_) {
      library.functions = FunctionsOf(library.name, elements.back());
      store->Put(library);
    }
    std::string answer;
    if (tells_name_) {
      AppendBulk(&answer, libraries_[0].name);
    } else {
      AppendSimple(&answer, "OK");
    }
    return answer;
  }

  Session* session_;
  Request* place_;
  std::vector<FunctionLibrary> libraries_;
  bool alone_;  // no others are left
  bool tells_name_;
  size_t before_ = 0;  // elements of the reply
};

void Load(Session* session, const CommandRow& row, std::vector<FunctionLibrary> libraries,
          bool alone, bool tells_name) {
  Request* place = session->Reserve(&row);
  session->Await(place);  // what comes behind it may call them
  // NOLINTNEXTLINE: it is gone when it has answered
  (new Loading(session, place, std::move(libraries), alone, tells_name))->Send(row);
}

std::string AlreadyThere(const std::string& name) {
  return "ERR Library '" + name + "' already exists";
}

void FunctionLoad(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  bool replace = false;
  for (const std::string_view option : args.subspan(2, args.size() - 3)) {
    if (!EqualsLower(option, "replace")) {
      session.ReplyError("ERR Unknown option given: " + std::string(option));
      return;
    }
    replace = true;
  }
  FunctionLibrary library{FunctionStore::NameIn(args.back()), std::string(args.back()), {}};
  if (!replace && session.context().functions->Has(library.name)) {
    session.ReplyError(AlreadyThere(library.name));
    return;
  }
  Load(&session, row, {std::move(library)}, /*alone=*/false, /*tells_name=*/true);
}

void Changed(Session* session, const CommandRow& row) {
  Request* place = session->Reserve(&row);
  session->Await(place);
  Spread(&session->context(), place, "+OK\r\n");
}

void FunctionDelete(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  if (session.context().functions->Delete(args[2])) {
    Changed(&session, row);
  } else {
    session.ReplyError("ERR Library not found");
  }
}

void FunctionFlush(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() > 3) {
    session.ReplyError(SubcommandSyntaxError(args));
    return;
  }
  if (!SaysHowToFlush(args)) {
    session.ReplyError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    return;
  }
  session.context().functions->Clear();
  Changed(&session, row);
}

// What a node says, of those that are kept here and with the code that the client gave.
void FilterList(const FunctionStore& store, std::string_view reply, std::string* out) {
  std::vector<std::string_view> libraries;
  if (reply[0] == '-' || !SplitArray(reply, &libraries)) {
    out->append(reply);
    return;
  }
  const std::vector<FunctionLibrary> kept = store.Libraries();
  std::string list;
  int64_t count = 0;
  for (const std::string_view one : libraries) {
    std::vector<std::string_view> fields;
    SplitArray(one, &fields);
    const FunctionLibrary* library = nullptr;
    std::string map;
    AppendMapHeader(&map, static_cast<int64_t>(fields.size() / 2));
    for (size_t i = 0; i + 1 < fields.size(); i += 2) {
      const std::string_view field = ReplyText(fields[i]);
      for (const FunctionLibrary& each : kept) {
        if (field == "library_name" && each.name == ReplyText(fields[i + 1])) library = &each;
      }
      map += fields[i];
      if (field == "library_code" && library != nullptr) {
        AppendBulk(&map, library->code);
      } else {
        map += fields[i + 1];
      }
    }
    if (library == nullptr) continue;
    ++count;
    list += map;
  }
  AppendArrayHeader(out, count);
  out->append(list);
}

void FunctionList(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  SessionContext& context = session.context();
  Request* place = session.Reserve(&row);
  session.Await(place);  // what comes behind it may change them
  GatherPtr gather = Gather::Make(
      context.dispatcher, place,
      [store = context.functions](const std::vector<PartReply>& parts, std::string* out) {
        FilterList(*store, parts[0].reply, out);
      });
  gather->AddShard(context.pool->shards()[0].slot, RequestKind::kRead, &row,
                   CommandFrame({args.begin(), args.end()}));
  Gather::Launch(std::move(gather));
}

void FunctionDump(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  std::vector<std::string> codes;
  for (FunctionLibrary& library : session.context().functions->Libraries()) {
    codes.push_back(std::move(library.code));
  }
  std::string out;
  AppendBulk(&out, DumpFunctions(codes));
  session.ReplyNow(out);
}

// What runs, as the client called it.
void AppendRunning(std::string_view command, std::string* out) {
  std::vector<std::string_view> args;
  SplitArray(command, &args);
  for (std::string_view& arg : args) arg = ReplyText(arg);
  AsClientCalled(&args);
  AppendArrayHeader(out, static_cast<int64_t>(args.size()));
  for (const std::string_view arg : args) AppendBulk(out, arg);
}

// The node's map in RESP3; it came in RESP2, where a map is a list.
void AppendStats(std::string_view reply, std::string* out) {
  std::vector<std::string_view> fields;
  if (reply[0] == '-' || !SplitArray(reply, &fields) || fields.size() != 4) {
    out->append(reply);
    return;
  }
  const auto append_map = [out](std::string_view list, const auto& append_value) {
    std::vector<std::string_view> pairs;
    SplitArray(list, &pairs);
    AppendMapHeader(out, static_cast<int64_t>(pairs.size() / 2));
    for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
      out->append(pairs[i]);
      append_value(ReplyText(pairs[i]), pairs[i + 1]);
    }
  };
  const auto append = [out](std::string_view name, std::string_view value) {
    if (name == "command") {
      AppendRunning(value, out);
    } else {
      out->append(value);
    }
  };
  AppendMapHeader(out, 2);
  out->append(fields[0]);
  if (IsNullReply(fields[1])) {
    AppendNull(out);
  } else {
    append_map(fields[1], append);
  }
  out->append(fields[2]);
  append_map(fields[3],
             [&](std::string_view, std::string_view engine) { append_map(engine, append); });
}

// Of a shard whose nodes run one, or are busy; else of the first.
void FinishStats(const std::vector<PartReply>& parts, std::string* out) {
  std::string_view answer = parts[0].reply;
  for (const PartReply& part : parts) {
    if (answer[0] == '-') answer = part.reply;
    std::vector<std::string_view> fields;
    const bool runs =
        part.reply.starts_with("-BUSY") ||
        (SplitArray(part.reply, &fields) && fields.size() == 4 && !IsNullReply(fields[1]));
    if (runs) answer = part.reply;
    if (runs) break;
  }
  AppendStats(answer, out);
}

void FunctionStats(LocalCommands&, Session& session, const CommandRow& row, LocalArgs) {
  SessionContext& context = session.context();
  GatherPtr gather = Gather::Make(context.dispatcher, session.Reserve(&row), FinishStats);
  gather->AddEachShard(*context.pool, RequestKind::kKill, nullptr, kFunctionStats);
  Gather::Launch(std::move(gather));
}

void FunctionRestore(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const std::string_view policy = args.size() == 4 ? args[3] : "append";
  const bool alone = EqualsLower(policy, "flush");
  const bool replace = EqualsLower(policy, "replace");
  if (args.size() > 4) {
    session.ReplyError(SubcommandSyntaxError(args));
    return;
  }
  if (!alone && !replace && !EqualsLower(policy, "append")) {
    session.ReplyError(
        "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
    return;
  }
  std::vector<std::string> codes;
  std::string error;
  if (!ReadFunctionDump(args[2], &codes, &error)) {
    session.ReplyError("ERR " + error);
    return;
  }
  std::vector<FunctionLibrary> libraries;
  for (std::string& code : codes) {
    std::string name = FunctionStore::NameIn(code);
    if (!alone && !replace && session.context().functions->Has(name)) {
      session.ReplyError("ERR Library " + name + " already exists");
      return;
    }
    libraries.push_back({std::move(name), std::move(code), {}});
  }
  Load(&session, row, std::move(libraries), alone, /*tells_name=*/false);
}

}  // namespace

LocalHandler FunctionHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kFunctionLoad:
      return FunctionLoad;
    case LocalCommand::kFunctionDelete:
      return FunctionDelete;
    case LocalCommand::kFunctionFlush:
      return FunctionFlush;
    case LocalCommand::kFunctionList:
      return FunctionList;
    case LocalCommand::kFunctionDump:
      return FunctionDump;
    case LocalCommand::kFunctionStats:
      return FunctionStats;
    case LocalCommand::kFunctionRestore:
      return FunctionRestore;
    default:
      return nullptr;
  }
}

}  // namespace gemel
