#include "proxy/session/account.h"

#include <new>
#include <utility>

#include "proxy/seen/shown_args.h"

namespace gemel {

void Account::Note(Request* request, const CommandRow* row, std::string_view frame) {
  RequestNote& note = request->Extra().note;
  request->noted = true;
  note.row = row;
  if (!context_->seen->keeps_args()) return;
  context_->shown.clear();
  AppendShownFrame(row != nullptr ? row : request->row, frame, &context_->shown);
  note.args.Append(context_->shown);
}

void Account::CountSpecial(Request* request, std::string_view reply, uint64_t took_us) {
  const CommandRow* row = request->row;
  if (request->noted) {
    const RequestNote& note = request->extra->note;
    if (note.row != nullptr) row = note.row;
    if (note.waits) took_us = 0;
  }
  ClientsSeen* seen = context_->seen;
  const bool failed = reply.starts_with('-');
  const bool rejected = failed && IsRejection(reply);
  if (failed) seen->OnError(reply);
  if (seen->shards().on()) CountApart(*request, reply, took_us, rejected);
  if (rejected) {
    seen->OnRejected(*row);
  } else {
    seen->OnDone(*row, took_us);
    if (failed) seen->OnFailed(*row);
  }
  if (seen->IsSlow(took_us) && !(rejected && took_us == 0)) NoteSlow(*request, *row, took_us);
}

void Account::CountApart(const Request& request, std::string_view reply, uint64_t took_us,
                         bool rejected) {
  ClientsSeen* seen = context_->seen;
  const bool failed = reply.starts_with('-');
  seen->users().OnDone(state_->access.account(), took_us, reply.size(), failed);
  if (!request.submitted) return;
  if (failed) seen->shards().OnError(request.shard, reply);
  if (!rejected) seen->shards().OnDone(request.shard, took_us);
}

void Account::NoteSlow(const Request& request, const CommandRow& row, uint64_t took_us) {
  const auto show = [&](std::string* args) {
    if (request.noted && !request.extra->note.args.empty()) {
      *args = request.extra->note.args.view();
    } else if (request.owns_frame()) {
      AppendShownFrame(&row, request.extra->owned.view(), args);
    } else if (request.frame_good) {
      AppendShownFrame(&row, request.frame, args);
    } else {
      AppendShownArgs(&row, {&row.name, 1}, args);
    }
  };
  context_->seen->NoteSlow(row, took_us, who(), AwayOf(request), show);
}

// Of what is answered at once the node that answers knows.
AwayTime Account::AwayOf(const Request& request) const {
  if (request.extra != nullptr && request.extra->away.away_us > 0) return request.extra->away;
  return request.answered ? AwayTime() : context_->board.Away();
}

void Account::KeepArgs(Request* request) try {
  const bool has_args = request->noted && !request->extra->note.args.empty();
  if (has_args || request->owns_frame() || !request->frame_good) return;
  if (!context_->seen->WantsSlowArgs()) return;
  Note(request, request->noted ? request->extra->note.row : nullptr, request->frame);
} catch (const std::bad_alloc&) {
}

void Account::KeepArgsElsewhere(Request* request) try {
  std::string args;
  AppendShownFrame(request->row, request->frame, &args);
  request->Extra().note.row = nullptr;
  request->extra->note.args.Append(args);
  request->noted = true;
} catch (const std::bad_alloc&) {
}

}  // namespace gemel
