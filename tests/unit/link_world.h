// A link between an owner and a transport that the test is.

#ifndef GEMEL_TESTS_UNIT_LINK_WORLD_H_
#define GEMEL_TESTS_UNIT_LINK_WORLD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/link/link.h"
#include "tests/unit/fake_transport.h"

namespace gemel::link_test {

struct Item : LinkItem {
  explicit Item(int n) : LinkItem(Kind::kRequest), number(n) {}
  int number;
};

class LinkTest : public ::testing::Test, public LinkOwner {
 protected:
  void Make(LinkOptions options = {}) {
    options.name = "node";
    link_ = std::make_unique<Link>(this, 0, &pool_, options);
    link_->set_transport(&transport_);
    link_->Start(now_ms_);
  }
  void BringUp(LinkOptions options = {}) {
    Make(std::move(options));
    MakeUp(link_.get(), &transport_, HandshakeReplies("abc", 3), now_ms_);
    log_.clear();
  }

  std::string WhyNot(const Link&, const NodeIdentity&) override { return why_not_; }
  void OnLinkUp(Link*, const NodeIdentity& identity) override {
    log_.push_back("up " + identity.run_id + " " + std::to_string(identity.keys) +
                   (identity.is_replica ? " replica" : ""));
  }
  void OnLinkReply(Link*, LinkItem* item, const Reply& reply, std::string_view frame) override {
    std::string bytes(reply.bytes);
    if (reply.buffer != nullptr) {
      EXPECT_EQ(reply.buffer->view(), reply.bytes);
      ++buffers_;
      if (take_buffers_) {
        const ByteBuffer taken = std::move(*reply.buffer);
        EXPECT_EQ(taken.view(), bytes);
      }
    }
    if (bytes.size() > 40) bytes = std::to_string(bytes.size()) + " bytes";
    bytes.erase(std::remove(bytes.begin(), bytes.end(), '\r'), bytes.end());
    std::replace(bytes.begin(), bytes.end(), '\n', '.');
    log_.push_back("reply " + std::to_string(static_cast<Item*>(item)->number) + " " + bytes +
                   " to " + std::string(frame));
    if (fail_on_reply_) link_->Fail("enough");
  }
  void OnLinkLost(Link* link, LinkItem* item, std::string_view frame) override {
    EXPECT_EQ(link->state(), Link::State::kDown);
    misplaced_ = link->end().misplaced;
    instead_of_ = link->end().database;
    log_.push_back("lost " + std::to_string(static_cast<Item*>(item)->number) + " " +
                   std::string(frame));
  }
  void OnLinkDown(Link*, const std::string& reason, bool refused) override {
    log_.push_back("down " + reason + (refused ? " (refused)" : ""));
  }
  void OnLinkHeard(Link*) override { log_.push_back("heard"); }
  using Log = std::vector<std::string>;

  ChunkPool pool_;
  FakeTransport transport_;
  std::unique_ptr<Link> link_;
  uint64_t now_ms_ = 1000;
  Log log_;
  bool misplaced_ = false;  // of what was lost last
  int instead_of_ = 0;
  int buffers_ = 0;
  bool take_buffers_ = false;
  bool fail_on_reply_ = false;
  std::string why_not_;
};

}  // namespace gemel::link_test

#endif  // GEMEL_TESTS_UNIT_LINK_WORLD_H_
