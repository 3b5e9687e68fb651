// Reads: out to one copy, and back; to another copy where that one fails or comes into doubt.

#ifndef GEMEL_BACKEND_SHARD_READ_PATH_H_
#define GEMEL_BACKEND_SHARD_READ_PATH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backend/figures/figures.h"
#include "backend/shard/copies.h"
#include "backend/shard/cursors.h"
#include "backend/shard/hedger.h"
#include "backend/shard/read_policy.h"
#include "backend/shard/read_sample.h"
#include "backend/shard/shard_parts.h"
#include "backend/shard/transmit.h"

namespace gemel {

// Logic only, the shard's thread.
class ReadPath {
 public:
  explicit ReadPath(ShardParts* parts)
      : parts_(parts),
        policy_(&ReadPolicyOf(parts->options.read_from)),
        sample_(parts),
        cursors_(parts) {}

  void SetOptions() { policy_ = &ReadPolicyOf(parts_->options.read_from); }

  // Sends it to the copy that is asked first, or answers it with an error if there is none.
  void Send(Request* request) {
    if (request->cursors) [[unlikely]] {
      SendByCursor(request);
      return;
    }
    uint32_t copy = parts_->copies->primary();
    if (!PrimaryServes(*request)) {
      const int picked = PickFirst(*request);
      if (picked < 0) {
        Refuse(request);
        return;
      }
      copy = static_cast<uint32_t>(picked);
    }
    ++reads_;
    request->tried = static_cast<uint16_t>(Bit(copy));
    sample_.OnRead(*request, copy == parts_->copies->primary());
    if (request->frame.size() < kShareFrom) [[likely]] {
      parts_->copies->link(copy).Send(request, request->frame);
    } else {
      TransmitShared(*parts_, request, request, Bit(copy));
    }
  }
  // Sends it to that copy, whose link is up. If it is answered by another one after all, that one's
  // bit is in `tried`, too.
  void SendTo(uint32_t copy, Request* request, CopyMask tried);
  // What was read of that copy, as the client gets it.
  Reply ReplyOf(uint32_t copy, const Request& request, const Reply& reply, std::string_view frame) {
    return request.cursors ? cursors_.ReplyOf(copy, reply, frame) : reply;
  }
  Cursors& cursors() { return cursors_; }
  // One that is sent to the primary over another link counts, too.
  void Count(const Request& request) {
    ++reads_;
    sample_.OnRead(request, /*from_primary=*/true);
  }
  // A client may learn of another copy than the primary now what that one has.
  void NoteElsewhere() { elsewhere_ms_ = parts_->env->NowMs(); }
  // One may have done so lately: within 10 s.
  bool SeenElsewhere() const;
  ReadSample& sample() { return sample_; }
  void Trim() {
    sample_.Trim();
    cursors_.Trim();
  }
  uint64_t reads() const { return reads_.value(); }

  // The copy of these that is asked, -1 if none can be. `also_silent`: even one whose line does not
  // move.
  int Pick(CopyMask among, bool primary_only, bool also_silent = false) {
    const int copy = Look(among, primary_only, also_silent, turn_++);
    if (copy >= 0 && static_cast<uint32_t>(copy) != parts_->copies->primary()) NoteElsewhere();
    return copy;
  }
  int PickFirst(const Request& request);
  // The copy that the next read would go to, -1 if none can be asked, and why.
  int Explain(bool primary_only, std::string* why) const;

  void OnReply(const Link& link, Request* request, const Reply& reply, std::string_view frame);
  // Its client gets this.
  void Answer(Request* request, const Reply& reply, std::string_view frame);
  // Its link has ended. `suspect`: it may be why.
  void OnLost(const Link& link, Request* request, std::string_view frame, bool suspect);
  // A copy may have come into doubt since it was asked.
  bool IsDoubtful(uint32_t copy, const Reply& reply) const;
  // Sends a read to another copy; false if there is none that it was not sent to.
  bool Retry(Request* request, std::string_view frame);
  // What that copy answered to it is doubtful. True: another one is asked, or it waits until one
  // can be; the request is no more the caller's. False: the answer is better than none.
  bool AskAgain(uint32_t copy, Request* request, std::string_view frame);
  // The copy is not to be read, for it may lack a write that a client has sent before its read, and
  // one may be before long.
  bool MustWait(uint32_t copy) const;

 private:
  // The short way of it: nobody is silent, and the primary serves.
  bool PrimaryServes(const Request& request) const {
    const CopyMask readable = parts_->copies->readable();
    const CopyMask primary = Bit(parts_->copies->primary());
    return parts_->hedger->silent() == 0 && (readable & primary) != 0 &&
           (policy_->read_from == ReadFrom::kPrimary || request.primary_only ||
            readable == primary);
  }
  void SendByCursor(Request* request);
  int Look(CopyMask among, bool primary_only, bool also_silent, uint32_t turn) const;
  void Refuse(Request* request);
  bool EndsWithScript(const Link& link, Request* request, std::string_view frame);

  ShardParts* parts_;
  const ReadPolicy* policy_;
  uint32_t turn_ = 0;
  std::optional<uint64_t> elsewhere_ms_;
  ReadSample sample_;
  Cursors cursors_;
  Figure reads_{parts_->figures, "reads", "Reads that were sent to a copy"};
  Figure fallbacks_{parts_->figures, "fallbacks",
                    "Reads sent to another copy after the first one failed"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_READ_PATH_H_
