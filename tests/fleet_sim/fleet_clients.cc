#include "tests/fleet_sim/fleet_clients.h"

#include <utility>

#include "backend/resp/reply_reader.h"

namespace gemel::fleet_sim {

namespace {

// So long a shard may be about what it was asked.
constexpr uint64_t kUnderWayUs = 1500000;

// A way between a client and a member.
uint64_t Delay(sim::Loop* loop) { return loop->Between(20, loop->Chance(5) ? 3000 : 300); }

std::vector<std::string> CommandOf(const Op& op) {
  switch (op.kind) {
    case Op::Kind::kSet:
      return {"SET", op.key, std::to_string(op.value)};
    case Op::Kind::kIncr:
      return {"INCR", op.key};
    case Op::Kind::kDel:
      return {"DEL", op.key};
    default:
      return {"GET", op.key};
  }
}

}  // namespace

FleetClients::FleetClients(World world, std::vector<std::string> keys)
    : world_(std::move(world)), keys_(std::move(keys)), clients_(world_.plan->clients + 1) {
  for (Client& client : clients_) {
    client.window = world_.loop->Chance(60) ? 1 : world_.loop->Between(2, 4);
    Connect(&client);
  }
}

void FleetClients::Connect(Client* client) {
  client->session = ++last_session_;
  client->member = world_.loop->Random(world_.plan->members);
  client->outstanding = 0;
  ++client->lives;
}

void FleetClients::Begin() {
  for (size_t i = 0; i + 1 < clients_.size(); ++i) {
    world_.loop->After(world_.loop->Between(0, 300000), [this, i] { Turn(i); });
  }
}

void FleetClients::Turn(size_t index) {
  if (Over()) return;
  Client& client = clients_[index];
  if (client.outstanding < client.window) {
    Ask(index, Choose());
  } else if (world_.plan->gives_up && world_.loop->Chance(3)) {
    // It waits no longer: what it asked is done or not, at any time.
    world_.gone(client.member, client.session);
    for (size_t op = 0; op < ops_.size(); ++op) {
      if (sent_[op].client != index || ops_[op].outcome != Op::Outcome::kPending) continue;
      End(op, Op::Outcome::kUnknown);
      ops_[op].over_us = UINT64_MAX;
    }
    Connect(&client);
  }
  const uint64_t think_us = world_.plan->think_us;
  world_.loop->After(world_.loop->Between(think_us / 4, think_us), [this, index] { Turn(index); });
}

Op FleetClients::Choose() {
  sim::Loop& loop = *world_.loop;
  Op op;
  op.key = keys_[loop.Random(keys_.size())];
  const uint64_t dice = loop.Random(100);
  op.kind = dice < 45   ? Op::Kind::kGet
            : dice < 65 ? Op::Kind::kSet
            : dice < 92 ? Op::Kind::kIncr
                        : Op::Kind::kDel;
  op.value = static_cast<int64_t>(ops_.size() + 1) * 1000;
  return op;
}

void FleetClients::Ask(size_t index, Op asked) {
  Client& client = clients_[index];
  const size_t number = ops_.size();
  Op& op = ops_.emplace_back(std::move(asked));
  op.number = number;
  op.client = static_cast<uint32_t>(index);
  op.called = ++moment_;
  op.called_us = world_.loop->now_us();
  op.by = "m" + std::to_string(client.member);
  sent_.push_back({index, client.member, client.lives});
  ++client.outstanding;
  world_.loop->After(Delay(world_.loop), [this, number, session = client.session] {
    if (ops_[number].outcome != Op::Outcome::kPending) return;
    if (!world_.submit(sent_[number].member, number, session, CommandOf(ops_[number]))) {
      ops_[number].reply = "refused";
      End(number, Op::Outcome::kNotDone);
      if (sent_[number].client + 1 < clients_.size()) Connect(&clients_[sent_[number].client]);
    }
  });
}

void FleetClients::Read(size_t member, const std::string& key) {
  clients_.back().member = member;
  Op op;
  op.key = key;
  Ask(clients_.size() - 1, std::move(op));
}

void FleetClients::OnAnswered(size_t op, const std::string& reply) {
  if (ops_[op].over_us == UINT64_MAX) ops_[op].over_us = world_.loop->now_us();
  world_.loop->After(Delay(world_.loop), [this, op, reply] {
    if (ops_[op].outcome == Op::Outcome::kPending) Take(&ops_[op], reply);
  });
}

void FleetClients::Take(Op* op, const std::string& reply) {
  op->reply = reply;
  if (reply.empty()) {
    world_.findings->Problem("an empty reply to " + op->key);
    return;
  }
  if (reply[0] == '-') {
    const bool unknown = reply.find("may or may not") != std::string::npos;
    world_.findings->Trace("client " + std::to_string(op->client) + " is told at " + op->by + ": " +
                           reply.substr(0, reply.size() - 2));
    End(op->number, unknown ? Op::Outcome::kUnknown : Op::Outcome::kNotDone);
    return;
  }
  if (op->kind != Op::Kind::kSet && !IsNullReply(reply)) {
    op->told = std::stoll(std::string(ReplyText(reply)));
  }
  op->returned = ++moment_;
  End(op->number, Op::Outcome::kOk);
}

void FleetClients::End(size_t number, Op::Outcome outcome) {
  Op& op = ops_[number];
  if (op.outcome != Op::Outcome::kPending) return;
  op.outcome = outcome;
  op.returned_us = op.over_us = world_.loop->now_us();
  Client& client = clients_[sent_[number].client];
  if (client.lives == sent_[number].life) --client.outstanding;
}

void FleetClients::OnMemberEnd(size_t member) {
  for (size_t op = 0; op < ops_.size(); ++op) {
    if (sent_[op].member != member) continue;
    const bool pending = ops_[op].outcome == Op::Outcome::kPending;
    if (!pending && ops_[op].over_us != UINT64_MAX) continue;
    if (pending) {
      ops_[op].reply = "its member ended";
      End(op, Op::Outcome::kUnknown);
    }
    // The shard's owner may be another one, which goes on.
    ops_[op].over_us = world_.loop->now_us() + kUnderWayUs;
  }
  for (Client& client : clients_) {
    if (client.member == member && &client != &clients_.back()) Connect(&client);
  }
}

bool FleetClients::Idle() const {
  for (const Client& client : clients_) {
    if (client.outstanding > 0) return false;
  }
  return true;
}

std::vector<const Op*> FleetClients::OpsOf(const std::string& key) const {
  std::vector<const Op*> ops;
  for (const Op& op : ops_) {
    if (op.key == key) ops.push_back(&op);
  }
  return ops;
}

std::map<Op::Outcome, size_t> FleetClients::Count() const {
  std::map<Op::Outcome, size_t> count;
  for (const Op& op : ops_) ++count[op.outcome];
  return count;
}

}  // namespace gemel::fleet_sim
