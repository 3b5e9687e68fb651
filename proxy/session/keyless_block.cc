#include "proxy/session/keyless_block.h"

#include <utility>
#include <vector>

#include "backend/command/block.h"
#include "backend/command/script_guard.h"
#include "backend/command/second_copy.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// Calls visit(row, args), which returns what is sent in place of it, for each command of a block
// that is a script or function without keys; the block of what there is then.
template <typename Visit>
std::string InPlaceOfKeyless(const CommandTable& table, std::string_view block, Visit visit) {
  std::string out(kMultiFrame);
  std::vector<std::string_view> args;
  size_t index = 0;
  for (std::string_view rest = InsideOf(block); !rest.empty(); ++index) {
    args.clear();
    const size_t size = SplitNext(rest, &args);
    const CommandRow* row = table.Find(args);
    if (row != nullptr && SecondCopyFor(*row, args) == SecondCopy::kConfined) {
      std::string script;
      if (row->script != ScriptRule::kFunction && IsConfined(args[1])) {
        script = WithoutConfinement(args[1]);
        args[1] = script;
      }
      out += visit(index, row->script == ScriptRule::kFunction, rest.substr(0, size), args);
    } else {
      out += rest.substr(0, size);
    }
    rest.remove_prefix(size);
  }
  return out.append(kExecFrame);
}

}  // namespace

bool KeylessBlock::IsFor(const Request& request) {
  return request.kind == RequestKind::kTracked ? request.becomes != TrackedAs::kFirstWrite
                                               : request.kind != RequestKind::kFirstWrite;
}

void KeylessBlock::Begin(SessionContext* context, Request* request) {
  // NOLINTNEXTLINE: it is gone when it has answered
  auto* self = new KeylessBlock(context, request);
  self->Send(/*writes=*/false, self->Stopping());
}

void KeylessBlock::Send(bool writes, const std::string& frame) {
  Request* request = context_->dispatcher->NewFor(*request_, this);
  request->Extra().owned.Append(frame);
  request->frame = request->extra->owned.view();
  if (request_->extra != nullptr) request->extra->cargo = std::move(request_->extra->cargo);
  request->kind = request_->kind;
  request->becomes = request_->becomes;
  if (writes && request->kind == RequestKind::kTracked) {
    request->becomes = TrackedAs::kFirstWrite;
  } else if (writes) {
    request->kind = RequestKind::kFirstWrite;
  }
  request->block = true;
  request->guarded = request_->guarded;
  request->primary_only = request_->primary_only;
  request->cursors = request_->cursors;
  request->row = request_->row;
  request->shard = request_->shard;
  context_->dispatcher->Submit(request);
}

void KeylessBlock::OnReply(Request* request, const Reply& reply) {
  context_->dispatcher->Answered(*request);
  std::string answer(reply.bytes);
  if (request->extra != nullptr) request_->Extra().cargo = std::move(request->extra->cargo);
  context_->dispatcher->Free(request);
  std::vector<std::string_view> answers;
  if (std::exchange(stops_, false) && answer[0] == '*' && SplitArray(answer, &answers)) {
    const std::string writing = Wanted() ? Writing(answers) : std::string();
    if (!writing.empty()) {
      Send(/*writes=*/true, writing);
      return;
    }
    std::string refused;
    AppendArrayHeader(&refused, static_cast<int64_t>(answers.size()));
    for (const std::string_view one : answers) {
      refused += IsStopped(one) ? WithoutStop(one) : std::string(one);
    }
    answer = std::move(refused);
  }
  request_->sink->OnReply(request_, Reply{answer, nullptr});
  delete this;
}

std::string KeylessBlock::Stopping() const {
  ScriptScope scope;
  scope.others = ScriptScope::Others::kAll;
  return InPlaceOfKeyless(
      context_->pool->table(), frame_,
      [&](size_t, bool function, std::string_view, const std::vector<std::string_view>& args) {
        return function ? ConfineCallTo(scope, args) : ConfineScriptTo(scope, args);
      });
}

std::string KeylessBlock::Writing(std::span<const std::string_view> answers) const {
  bool any = false;
  std::string block = InPlaceOfKeyless(context_->pool->table(), frame_,
                                       [&](size_t index, bool function, std::string_view as_it_is,
                                           const std::vector<std::string_view>& args) {
                                         if (index >= answers.size() || !IsStopped(answers[index]))
                                           return std::string(as_it_is);
                                         const std::string key = StoppedAt(answers[index]);
                                         if (context_->pool->ShardOf(key) != request_->shard)
                                           return std::string(as_it_is);
                                         any = true;
                                         return WithHiddenKey(args, key, function);
                                       });
  return any ? block : std::string();
}

}  // namespace gemel
