// Of StateCopy: what the other copies get when the first one has executed the write.

#include <bit>
#include <utility>

#include "backend/resp/reply_reader.h"
#include "backend/shard/state_copy.h"

namespace gemel {

void StateCopy::Executed(Job* job, uint32_t id, std::string_view reply,
                         std::vector<std::string> frames, bool known) {
  Op* write = job->write;
  const std::string& frame =
      job->of_scripts.original.empty() ? job->frame : job->of_scripts.original;
  const CopyMask targets = host_->OnExecuted(write, job->copy, frame, job->frame, reply, known);
  job->following.waiting = targets;
  for (CopyMask rest = targets; rest != 0; rest &= rest - 1) {
    const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
    if (frames.empty()) {  // it had no effect
      job->following.waiting &= ~Bit(copy);
      host_->OnFollowed(write, copy, job->frame);
      continue;
    }
    for (size_t i = 0; i < frames.size(); ++i) {
      Send(job, id, copy, i + 1 == frames.size() ? kFollowExec : kFollow, frames[i]);
    }
  }
  // Whatever comes for these keys is behind that from here on.
  if (job->following.waiting != 0) {
    Unlock(job, id);
  } else {
    Close(id);
  }
  Opened();
}

void StateCopy::OnFollow(Job* job, uint32_t id, uint32_t copy, const Op& op,
                         std::string_view reply) {
  std::string& complaint = job->following.complaints[copy];
  if (op.repair_step == kFollow) {
    if (reply.starts_with('-') && complaint.empty()) complaint = reply;
    return;
  }
  std::vector<std::string_view> elements;
  bool stuck = false;
  if (reply.starts_with('-')) {
    stuck = job->following.in_multi && !reply.starts_with("-EXECABORT") && complaint.empty();
    if (complaint.empty()) complaint = reply;
  } else if (job->following.in_multi && SplitArray(reply, &elements)) {
    for (const std::string_view element : elements) {
      if (element.starts_with('-') && complaint.empty()) complaint = element;
    }
  }
  job->following.waiting &= ~Bit(copy);
  if (complaint.empty()) {
    host_->OnFollowed(job->write, copy, job->frame);
  } else {
    host_->OnNotFollowed(job->write, copy, job->frame, complaint);
  }
  if (stuck) host_->FailState(copy, "it does not execute EXEC: " + std::string(ReplyText(reply)));
  // What that handed back may have closed it.
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.following.waiting != 0) return;
  Close(id);
  Opened();
}

}  // namespace gemel
