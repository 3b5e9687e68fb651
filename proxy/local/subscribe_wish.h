// What a client has asked to subscribe to with one command. It is a subscriber from then on, as
// with Redis; it is told so when the shards tell of it, and when it is known what comes of those
// that it asked for before: with Redis what is refused counts in no answer behind it.

#ifndef GEMEL_PROXY_LOCAL_SUBSCRIBE_WISH_H_
#define GEMEL_PROXY_LOCAL_SUBSCRIBE_WISH_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/channels/channel_name.h"
#include "backend/shard/request.h"
#include "proxy/channels/channel_registry.h"
#include "proxy/session/session.h"

namespace gemel {

// One confirmation, but for the count at its end. `channel`: as the client calls it; null if it had
// subscribed to nothing.
void AppendConfirmationHead(bool resp3, std::string_view verb, const std::string* channel,
                            std::string* out);

// The session's thread.
class SubscribeWish : public RequestSink, public std::enable_shared_from_this<SubscribeWish> {
 public:
  // Names are those of channel_name.h, all of that kind.
  static std::shared_ptr<SubscribeWish> Make(Session* session, ChannelKind kind,
                                             std::vector<std::string> names);
  ~SubscribeWish() override;
  SubscribeWish(const SubscribeWish&) = delete;
  SubscribeWish& operator=(const SubscribeWish&) = delete;

  // The client is a subscriber; or an exception says why it is not.
  void Enter();
  // Asks the shards that do not tell of all of it yet, and answers `place`, the last in line, in
  // the end, maybe at once; it is alive until then. If there is an exception, nothing was asked,
  // nothing will be answered and nothing is left of it.
  void Begin(Request* place);

 private:
  using Questions = std::map<uint32_t, std::vector<std::string>>;  // by shard
  struct Confirmation {
    std::string head;
    uint64_t count;
  };

  SubscribeWish(Session* session, ChannelKind kind, std::vector<std::string> names);

  // --- RequestSink: of what the shards are asked ---
  void OnReply(Request* request, const Reply& reply) override;

  void EnterOne(const std::string& name);
  // The names that not all shards tell of are under way from now on.
  Questions BeginAsking();
  void EndAsking();
  void MakeRequests(Questions questions);
  // Until the client has been told.
  void HoldMessages();
  // Nothing came of it.
  void TakeBack();
  // All shards have answered.
  void End();
  // This one and those behind it that only waited for it.
  void AnswerInTurn();
  void Answer();

  Session* session_;
  ChannelRegistry* registry_;
  const ChannelKind kind_;
  const bool silent_;
  const uint64_t pool_number_;
  std::vector<std::string> names_;
  std::vector<std::string> entered_;  // that the client did not have
  std::vector<std::string> asked_;    // that are under way
  std::vector<Confirmation> confirmations_;
  std::vector<Request*> requests_;  // that are not sent yet
  size_t left_ = 0;                 // that are not answered
  std::string error_;
  Request* place_ = nullptr;
  bool ended_ = false;
  bool waits_ = false;  // for one before it
  uint64_t fewer_ = 0;  // than was counted: those before it that were refused
  std::shared_ptr<SubscribeWish> next_;
  std::shared_ptr<SubscribeWish> self_;  // until it is answered
};

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_SUBSCRIBE_WISH_H_
