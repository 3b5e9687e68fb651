#include "tests/sim/sim_clients.h"

#include <utility>

#include "backend/command/second_copy.h"
#include "backend/resp/resp_writer.h"

namespace gemel::sim {

namespace {

constexpr uint64_t kAnswerLimit = 4 * 1000 * 1000;

}  // namespace

Clients::Clients(Scene* scene, const Lives* lives, Removals* removals, const Refusals* refusals,
                 Stalls* stalls)
    : scene_(scene), lives_(lives), removals_(removals), refusals_(refusals), stalls_(stalls) {
  for (const uint32_t window : scene->plan.clients.windows) {
    Client& client = clients_.emplace_back();
    client.id = clients_.size();
    client.window = window;
  }
}

void Clients::Begin() {
  for (size_t i = 0; i < clients_.size(); ++i) {
    scene_->loop.After(scene_->loop.Between(0, 150000), [this, i] { Turn(i); });
  }
}

void Clients::Turn(size_t index) {
  Loop& loop = scene_->loop;
  Client& client = clients_[index];
  if (Over()) return;
  if (lives_->serving() != nullptr) {
    for (uint64_t more = loop.Between(1, client.window);
         more > 0 && client.outstanding < client.window; --more) {
      Submit(&client);
    }
  }
  const uint64_t think_us = scene_->plan.clients.think_us;
  loop.After(loop.Between(think_us / 4, think_us), [this, index] { Turn(index); });
}

void Clients::Submit(Client* client) {
  if (requests_ >= scene_->plan.clients.quota) return;
  ++requests_;
  if (scene_->loop.Chance(scene_->plan.refusing() > 0 ? 20 : 4)) SubmitCopy();
  ++client->outstanding;
  ++client->place;
  SimOp* op = history_.Add();
  Choose(*client, op);
  // A session waits where the fence stops it; this client reads instead.
  const ReadFence::Mark mark = ReadFence::MarkOf(op->key);
  if (!op->is_read && client->fence.Blocks(mark)) op->is_read = true;
  op->is_read ? client->fence.PushRead(mark) : client->fence.PushOther();
  // Of its key, or its session waits for one that does.
  op->may_wait = op->key_kind == KeyKind::kList || op->key_kind == KeyKind::kFleeting ||
                 op->key_kind == KeyKind::kFleetingSet;
  if (scene_->plan.clients.blocks && scene_->loop.Chance(25)) ChooseBlock(op);
  for (const SimOp* before : client->line) {
    op->may_wait |= before->outcome == SimOp::Outcome::kPending && before->may_wait;
  }
  client->line.push_back(op);
  SubmitOp(op, CommandOf(op));
}

void Clients::SubmitCopy() {
  Loop& loop = scene_->loop;
  const std::string shard = ShardName(loop.Random(scene_->plan.prefixes));
  const uint64_t targets = scene_->plan.refusing() > 0 ? 12 : 2;
  SimOp* copy = &copies_.emplace_back();
  copy->shard = static_cast<uint16_t>(shard[1] - '0');
  copy->key = shard + ":y" + std::to_string(loop.Random(targets));
  const std::string from = loop.Chance(30) ? shard + ":y" + std::to_string(loop.Random(targets))
                           : removals_ != nullptr && loop.Chance(50)
                               ? removals_->Source(shard)
                               : shard + ":" + "rcl"[loop.Random(3)] +
                                     std::to_string(loop.Random(scene_->plan.clients.keys));
  const SimProxy& proxy = *lives_->present();
  if (from == copy->key || proxy.Owner(from) != proxy.Owner(copy->key)) return;
  std::vector<std::string> args = {"COPY", from, copy->key, "REPLACE"};
  copy->database = DatabaseOf(from);
  if (const uint8_t other = DatabaseOf(copy->key); other != copy->database) {
    args.insert(args.end(), {"DB", std::to_string(other)});
  }
  SubmitOp(copy, args);
}

void Clients::Choose(const Client& client, SimOp* op) {
  Loop& loop = scene_->loop;
  op->client = client.id;
  op->place = client.place;
  op->shard = static_cast<uint16_t>(loop.Random(scene_->plan.prefixes));
  op->is_read = loop.Chance(45);
  op->key_kind = static_cast<KeyKind>(loop.Random(3));
  op->token = std::to_string(client.id) + "." + std::to_string(client.place) + ";";
  op->key = ShardName(op->shard) + ":" + "rcl"[static_cast<size_t>(op->key_kind)] +
            std::to_string(loop.Random(scene_->plan.clients.keys));
  if (!op->is_read && op->key_kind == KeyKind::kList && loop.Chance(5)) {
    op->key = ShardName(op->shard) + ":x";
  } else if (removals_ != nullptr) {
    removals_->Choose(op, ShardName(op->shard));
  }
}

// With a write another key is written, which is locked when one copy executes the block first.
void Clients::ChooseBlock(SimOp* op) {
  op->block = true;
  if (op->is_read) return;
  const std::string side = ShardName(op->shard) + ":b" + std::to_string(scene_->loop.Random(2));
  if (lives_->present()->Owner(side) != lives_->present()->Owner(op->key)) return;
  op->side = side;
  op->may_wait = true;
}

std::vector<std::string> Clients::CommandOf(SimOp* op) {
  Loop& loop = scene_->loop;
  if (op->is_read) return {"GET", op->key};
  switch (op->key_kind) {
    case KeyKind::kRegister:
      op->is_delete = loop.Chance(15);
      if (op->is_delete) return {"DEL", op->key};
      if (loop.Chance(3)) op->token.resize(loop.Between(1, 60000), 'v');
      return {"SET", op->key, op->token};
    case KeyKind::kCounter:
      return {"INCR", op->key};
    case KeyKind::kList:
      if (!loop.Chance(25)) return {"APPEND", op->key, op->token};
      op->is_stream = scene_->plan.clients.streams && loop.Chance(50);
      return {op->is_stream ? "XADD" : "MIX", op->key, "*", "f", op->token};
    default:
      return removals_->Command(op);
  }
}

uint8_t Clients::DatabaseOf(std::string_view key) const {
  return sim::DatabaseOf(key, scene_->plan.options.databases);
}

void Clients::SubmitOp(SimOp* op, const std::vector<std::string>& args) {
  op->sink = this;
  op->session = static_cast<uint32_t>(op->client);
  if (args[0] != "COPY") op->database = DatabaseOf(op->key);
  op->invoked_us = scene_->loop.now_us();
  std::vector<std::string_view> views(args.begin(), args.end());
  op->row = Table().Find(views);
  op->kind = op->is_read                                    ? RequestKind::kRead
             : OneCopyFirst(SecondCopyFor(*op->row, views)) ? RequestKind::kFirstWrite
                                                            : RequestKind::kWrite;
  std::string frame;
  AppendCommand(&frame, views);
  if (op->block) {
    op->wrapped = WrapInBlock(args, op->database, op->side, DatabaseOf(op->side), op->token);
    frame = op->wrapped.frame;
  }
  if (scene_->loop.Chance(20)) {
    op->frame = frame;
    op->OwnFrame();
  } else {
    op->frame = frame;  // gone when this returns, as the contract has it
  }
  lives_->present()->Submit(op, op->key);
}

void Clients::SubmitLong(uint16_t shard, bool is_read, uint64_t for_us) {
  SimOp* op = &copies_.emplace_back();
  op->shard = shard;
  op->key = ShardName(shard) + ":b";
  op->is_read = is_read;
  if (is_read) {
    SubmitOp(op, {"EVAL_RO", "return 0", "0", std::to_string(for_us)});
  } else {
    SubmitOp(op, {"ZUNIONSTORE", op->key, "1", op->key, std::to_string(for_us)});
  }
}

void Clients::TouchTampered() {
  for (size_t shard = 0; shard < scene_->plan.prefixes && !scene_->loop.stopped(); ++shard) {
    SimOp* op = history_.Add();
    op->shard = static_cast<uint16_t>(shard);
    op->key = ShardName(shard) + ":x";
    op->token = "end;";
    SubmitOp(op, {"APPEND", op->key, op->token});
  }
}

void Clients::Take(SimOp* op, const Reply& reply) {
  if (!ReadsSameInResp2(reply.bytes, Resp2Form::kPlain)) {
    op->told.clear();
    AppendInResp2(reply.bytes, Resp2Form::kPlain, &op->told);
  } else if (reply.buffer != nullptr && scene_->loop.Chance(50)) {
    const ByteBuffer taken = std::move(*reply.buffer);
    op->told = taken.view();
  } else {
    op->told = reply.bytes;
  }
  if (op->block) op->told = Unwrap(op->wrapped, op->told);
  // An ID has the length in it: see KeyCommands::AddToStream.
  if (op->is_stream && op->told.starts_with('$')) {
    const std::string_view id = ReplyText(op->told);
    op->told = Integer(std::stoll(std::string(id.substr(0, id.find('-')))));
  }
  op->ended_us = scene_->loop.now_us();
  op->outcome = SimOp::Outcome::kOk;
}

void Clients::OnError(SimOp* op) {
  op->outcome = op->told.find("may or may not") == std::string::npos ? SimOp::Outcome::kRefused
                                                                     : SimOp::Outcome::kUnknown;
  scene_->findings.Trace("error to client " + std::to_string(op->client) + " for " + op->key + " " +
                         op->token + ": " + op->told.substr(0, op->told.size() - 2));
  if (scene_->plan.mode != Mode::kManyFaults && scene_->plan.copies > 1 &&
      !refusals_->AllSaid(*op)) {
    scene_->findings.Problem("an error reached a client: " + op->told);
  }
}

void Clients::OnReply(Request* request, const Reply& reply) {
  if (ignoring_) return;
  SimOp* op = static_cast<SimOp*>(request);
  if (op->outcome != SimOp::Outcome::kPending) {
    scene_->findings.Problem("answered twice: " + op->key + " " + op->token);
    return;
  }
  Take(op, reply);
  if (op->told.empty()) {
    scene_->findings.Problem("an empty reply: " + op->key + " " + op->token);
    return;
  }
  if (op->told[0] == '-') OnError(op);
  stalls_->Check(*op);
  if (op->client == 0) return;
  Client& client = clients_[op->client - 1];
  --client.outstanding;
  while (!client.line.empty() && client.line.front()->outcome != SimOp::Outcome::kPending) {
    client.line.pop_front();
    client.fence.Pop();
  }
  // From inside the reply, as a session that had stopped reading may.
  if (scene_->loop.Chance(25) && !Over() && !lives_->going()) Submit(&client);
}

void Clients::OnCrashed() {
  ignoring_ = false;
  for (SimOp& op : history_.ops()) {
    if (op.outcome != SimOp::Outcome::kPending) continue;
    op.outcome = SimOp::Outcome::kUnknown;
    op.ended_us = scene_->loop.now_us();
    if (op.client > 0) --clients_[op.client - 1].outstanding;
  }
  for (Client& client : clients_) {
    client.line.clear();
    client.fence = ReadFence();
  }
  for (SimOp& copy : copies_) {
    if (copy.outcome == SimOp::Outcome::kPending) copy.outcome = SimOp::Outcome::kUnknown;
  }
}

bool Clients::Idle() const {
  for (const Client& client : clients_) {
    if (client.outstanding > 0) return false;
  }
  for (const SimOp& copy : copies_) {
    if (copy.row != nullptr && copy.outcome == SimOp::Outcome::kPending) return false;
  }
  return true;
}

void Clients::CheckBounds() {
  const std::deque<SimOp>& ops = history_.ops();
  while (oldest_pending_ < ops.size() && ops[oldest_pending_].outcome != SimOp::Outcome::kPending) {
    ++oldest_pending_;
  }
  if (oldest_pending_ < ops.size()) {
    const SimOp& op = ops[oldest_pending_];
    if (scene_->loop.now_us() > op.invoked_us + kAnswerLimit) {
      scene_->findings.Problem("not answered for " + std::to_string(kAnswerLimit / 1000) +
                               " ms: client " + std::to_string(op.client) + " " + op.key + " " +
                               op.token);
    }
  }
  scene_->loop.After(100000, [this] { CheckBounds(); });
}

}  // namespace gemel::sim
