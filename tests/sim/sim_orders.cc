#include "tests/sim/sim_orders.h"

#include <utility>

#include "tests/sim/sim_proxy.h"
#include "tests/unit/order_of.h"

namespace gemel::sim {

// One order and its answer.
struct SimOrders::Asked : Request, RequestSink {
  void OnReply(Request*, const Reply& reply) override {
    proxy->Note(NoteLevel::kInfo, "answer to " + what + ": " + std::string(reply.bytes));
    if (std::exchange(answered, true)) proxy->Fail("an order was answered twice: " + what);
    done(reply.bytes[0] == '+');
  }

  SimProxy* proxy = nullptr;
  std::string what;
  bool answered = false;
  std::function<void(bool)> done;
};

struct SimOrders::Audit : Request, RequestSink {
  bool waiting = true;
  void OnReply(Request*, const Reply&) override { waiting = false; }
};

SimOrders::SimOrders(SimProxy* proxy) : proxy_(proxy) {}

SimOrders::~SimOrders() = default;

void SimOrders::Order(SimShard* shard, const std::string& verb, const Node* node,
                      std::function<void(bool ok)> done) {
  std::erase_if(asked_, [](const auto& asked) { return asked->answered; });
  asked_.push_back(std::make_unique<Asked>());
  Asked* asked = asked_.back().get();
  asked->proxy = proxy_;
  asked->what = verb + " " + node->address();
  asked->done = std::move(done);
  asked->kind = RequestKind::kControl;
  asked->sink = asked;
  asked->Extra().cargo = OrderOf(verb, node->address());
  proxy_->process().Receive([this, asked, name = shard->name()] {
    if (SimShard* owner = proxy_->Find(name)) {
      owner->shard()->Submit(asked);
    } else {
      asked->answered = true;  // it has gone meanwhile
      asked->done(false);
    }
  });
}

void SimOrders::StartAudit(SimShard* shard) {
  if (proxy_->process().paused()) return;
  std::erase_if(audits_, [](const auto& audit) { return !audit->waiting; });
  audits_.push_back(std::make_unique<Audit>());
  Audit* request = audits_.back().get();
  request->sink = request;
  request->kind = RequestKind::kAudit;
  shard->shard()->Submit(request);
}

}  // namespace gemel::sim
