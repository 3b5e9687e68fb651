// The clients of a run: pipelined requests, and what becomes of them.

#include "backend/command/second_copy.h"
#include "backend/resp/resp_writer.h"
#include "tests/sim/sim_streams.h"
#include "tests/sim/sim_world.h"

namespace gemel::sim {

void World::ClientTurn(size_t index) {
  Client& client = clients_[index];
  if (loop_.now_us() >= clients_end_us_) return;
  if (proxy_ != nullptr && proxy_->serving() && !proxy_going_) {
    for (uint64_t more = loop_.Between(1, client.window);
         more > 0 && client.outstanding < client.window; --more) {
      Submit(&client);
    }
  }
  loop_.After(loop_.Between(think_us_ / 4, think_us_), [this, index] { ClientTurn(index); });
}

void World::Submit(Client* client) {
  if (requests_ >= quota_) return;
  ++requests_;
  if (loop_.Chance(refusing_replicaof_ > 0 ? 20 : 4)) {
    const std::string shard = ShardName(loop_.Random(prefixes_));
    const uint64_t targets = refusing_replicaof_ > 0 ? 12 : 2;
    SimOp* copy = &copies_.emplace_back();
    copy->shard = static_cast<uint16_t>(shard[1] - '0');
    copy->key = shard + ":y" + std::to_string(loop_.Random(targets));
    const std::string from =
        loop_.Chance(30) ? shard + ":y" + std::to_string(loop_.Random(targets))
        : removals_ != nullptr && loop_.Chance(50)
            ? removals_->Source(shard)
            : shard + ":" + "rcl"[loop_.Random(3)] + std::to_string(loop_.Random(keys_));
    if (from != copy->key && proxy_->Owner(from) == proxy_->Owner(copy->key)) {
      std::vector<std::string> args = {"COPY", from, copy->key, "REPLACE"};
      copy->database = DatabaseOf(from);
      if (const uint8_t other = DatabaseOf(copy->key); other != copy->database) {
        args.insert(args.end(), {"DB", std::to_string(other)});
      }
      SubmitOp(copy, args);
    }
  }
  ++client->outstanding;
  SimOp* op = history_.Add();
  op->client = client->id;
  op->place = ++client->place;
  op->shard = static_cast<uint16_t>(loop_.Random(prefixes_));
  op->is_read = loop_.Chance(45);
  op->key_kind = static_cast<KeyKind>(loop_.Random(3));
  std::string value = std::to_string(client->id) + "." + std::to_string(client->place) + ";";
  op->token = value;
  op->key = ShardName(op->shard) + ":" + "rcl"[static_cast<size_t>(op->key_kind)] +
            std::to_string(loop_.Random(keys_));
  if (!op->is_read && op->key_kind == KeyKind::kList && loop_.Chance(5)) {
    op->key = ShardName(op->shard) + ":x";
  } else if (removals_ != nullptr) {
    removals_->Choose(op, ShardName(op->shard));
  }
  // A session waits where the fence stops it; this client reads instead.
  const ReadFence::Mark mark = ReadFence::MarkOf(op->key);
  if (!op->is_read && client->fence.Blocks(mark)) op->is_read = true;
  op->is_read ? client->fence.PushRead(mark) : client->fence.PushOther();
  // Of its key, or its session waits for one that does.
  op->may_wait = op->key_kind == KeyKind::kList || op->key_kind == KeyKind::kFleeting ||
                 op->key_kind == KeyKind::kFleetingSet;
  if (blocks_ && loop_.Chance(25)) ChooseBlock(op);
  for (const SimOp* before : client->line) {
    op->may_wait |= before->outcome == SimOp::Outcome::kPending && before->may_wait;
  }
  client->line.push_back(op);
  if (op->is_read) {
    SubmitOp(op, {"GET", op->key});
    return;
  }
  switch (op->key_kind) {
    case KeyKind::kRegister:
      op->is_delete = loop_.Chance(15);
      if (op->is_delete) {
        SubmitOp(op, {"DEL", op->key});
      } else {
        if (loop_.Chance(3)) op->token.resize(loop_.Between(1, 60000), 'v');
        SubmitOp(op, {"SET", op->key, op->token});
      }
      return;
    case KeyKind::kCounter:
      SubmitOp(op, {"INCR", op->key});
      return;
    case KeyKind::kList:
      if (loop_.Chance(25)) {
        op->is_stream = WritesStreams(seed_) && loop_.Chance(50);
        SubmitOp(op, {op->is_stream ? "XADD" : "MIX", op->key, "*", "f", op->token});
      } else {
        SubmitOp(op, {"APPEND", op->key, op->token});
      }
      return;
    case KeyKind::kFleeting:
    case KeyKind::kFleetingSet:
      SubmitOp(op, removals_->Command(op));
      return;
  }
}

// With a write another key is written, which is locked when one copy executes the block first.
void World::ChooseBlock(SimOp* op) {
  op->block = true;
  if (op->is_read) return;
  const std::string side = ShardName(op->shard) + ":b" + std::to_string(loop_.Random(2));
  if (proxy_->Owner(side) != proxy_->Owner(op->key)) return;
  op->side = side;
  op->may_wait = true;
}

// One kind of a shard's keys is in another database than the others: some are copied there.
uint8_t World::DatabaseOf(std::string_view key) const {
  if (options_.databases == 1 || key.size() < 4 || key[0] != 's' || key[2] != ':') return 0;
  const auto shard = static_cast<uint32_t>(key[1] - '0');
  return static_cast<uint8_t>((1 + shard + (key[3] == 'e' || key[3] == 'b' ? 1 : 0)) %
                              options_.databases);
}

void World::SubmitOp(SimOp* op, const std::vector<std::string>& args) {
  op->sink = this;
  op->session = static_cast<uint32_t>(op->client);
  if (args[0] != "COPY") op->database = DatabaseOf(op->key);
  op->invoked_us = loop_.now_us();
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
  if (loop_.Chance(20)) {
    op->frame = frame;
    op->OwnFrame();
  } else {
    op->frame = frame;  // gone when this returns, as the contract has it
  }
  proxy_->Submit(op, op->key);
}

void World::OnReply(Request* request, const Reply& reply) {
  if (ignore_replies_) return;
  SimOp* op = static_cast<SimOp*>(request);
  if (op->outcome != SimOp::Outcome::kPending) {
    Problem("answered twice: " + op->key + " " + op->token);
    return;
  }
  if (!ReadsSameInResp2(reply.bytes, Resp2Form::kPlain)) {
    op->told.clear();
    AppendInResp2(reply.bytes, Resp2Form::kPlain, &op->told);
  } else if (reply.buffer != nullptr && loop_.Chance(50)) {
    const ByteBuffer taken = std::move(*reply.buffer);
    op->told = taken.view();
  } else {
    op->told = reply.bytes;
  }
  if (op->block) op->told = Unwrap(op->wrapped, op->told);
  // An ID has the length in it: see Keyspace::AddToStream.
  if (op->is_stream && op->told.starts_with('$')) {
    const std::string_view id = ReplyText(op->told);
    op->told = Integer(std::stoll(std::string(id.substr(0, id.find('-')))));
  }
  op->ended_us = loop_.now_us();
  op->outcome = SimOp::Outcome::kOk;
  if (op->told.empty()) {
    Problem("an empty reply: " + op->key + " " + op->token);
    return;
  }
  if (op->told[0] == '-') {
    op->outcome = op->told.find("may or may not") == std::string::npos ? SimOp::Outcome::kRefused
                                                                       : SimOp::Outcome::kUnknown;
    Trace("error to client " + std::to_string(op->client) + " for " + op->key + " " + op->token +
          ": " + op->told.substr(0, op->told.size() - 2));
    if (mode_ != Mode::kManyFaults && copies_of_each_ > 1 && !AllRefuse(*op)) {
      Problem("an error reached a client: " + op->told);
    }
  }
  CheckStall(*op);
  if (op->client == 0) return;
  Client& client = clients_[op->client - 1];
  --client.outstanding;
  while (!client.line.empty() && client.line.front()->outcome != SimOp::Outcome::kPending) {
    client.line.pop_front();
    client.fence.Pop();
  }
  // From inside the reply, as a session that had stopped reading may.
  if (loop_.Chance(25) && loop_.now_us() < clients_end_us_ && !proxy_going_) Submit(&client);
}

}  // namespace gemel::sim
