#include "tests/sim/sim_control.h"

#include <algorithm>
#include <utility>

#include "backend/resp/reply_reader.h"
#include "backend/resp/reply_skipper.h"
#include "backend/resp/resp_writer.h"

namespace gemel::sim {

namespace {

constexpr uint64_t kTimeoutUs = 500000;

}  // namespace

ControlReply ToControlReply(const std::string& bytes) {
  ControlReply reply;
  if (bytes.empty()) {
    reply.error = "no answer";
  } else if (bytes[0] == '-') {
    reply.refused = true;
    reply.error = ReplyText(bytes);
  } else if (std::vector<std::string_view> parts; SplitArray(bytes, &parts)) {
    reply.ok = true;
    for (std::string_view part : parts) {
      if (!reply.text.empty()) reply.text += '\n';
      reply.text += ReplyText(part);
    }
  } else {
    reply.ok = true;
    reply.text = ReplyText(bytes);
  }
  return reply;
}

void ControlConnection::Command(std::vector<std::string> args, ControlDone done) {
  pending_.push_back({std::move(args), std::move(done)});
  // One that is not answered in time ends the connection.
  const auto answered = std::make_shared<bool>(false);
  pending_.back().done = [answered, inner = std::move(pending_.back().done)](const auto& reply) {
    *answered = true;
    if (inner) inner(reply);
  };
  world_->process().Later(kTimeoutUs, alive_.Guard([this, answered] {
    if (!*answered) Fail("no answer within 500 ms");
  }));
  if (connection_ == nullptr) {
    Connect();
  } else {
    Send();
  }
}

void ControlConnection::Connect() {
  connection_ = std::make_shared<Connection>();
  connection_->road = world_->RoadTo(node_);
  const auto here = [this, of = std::weak_ptr<Connection>(connection_),
                     watch = alive_.watch()](std::function<void()> event) {
    if (watch.gone()) return;
    world_->process().Receive([this, of, watch, event = std::move(event)] {
      if (!watch.gone() && connection_ != nullptr && connection_ == of.lock()) event();
    });
  };
  connection_->connected = [this, here] { here([this] { OnConnected(); }); };
  connection_->to_client = [this, here](std::string_view bytes) {
    here([this, bytes = std::string(bytes)] { OnBytes(bytes); });
  };
  connection_->closed = [this, here](bool) { here([this] { Fail("the connection was lost"); }); };
  fence_.Begin(options_.others != nullptr ? options_.client_name : std::string_view());
  fencing_ = fence_.active();
  AddStep(Step::kName, {"CLIENT", "SETNAME", options_.client_name});
  if (fencing_) {
    const std::vector<std::string_view> permission = TurnFence::AsksPermission();
    AddStep(Step::kMayEndOthers, {permission.begin(), permission.end()});
    AddStep(Step::kList, {"CLIENT", "LIST"});
  }
  node_->wire().Connect(connection_);
}

void ControlConnection::OnConnected() {
  connected_ = true;
  Send();
}

// After the last step, before all that waits.
void ControlConnection::AddStep(Step step, std::vector<std::string> args) {
  const auto behind = std::find_if(pending_.begin(), pending_.end(), [](const Pending& pending) {
    return pending.step == Step::kCommand;
  });
  pending_.insert(behind, {std::move(args), nullptr, step});
}

void ControlConnection::Send() {
  if (!connected_) return;
  std::string out;
  for (Pending& pending : pending_) {
    if (fencing_ && pending.step == Step::kCommand) break;
    if (std::exchange(pending.sent, true)) continue;
    const std::vector<std::string_view> args(pending.args.begin(), pending.args.end());
    AppendCommand(&out, args);
  }
  if (!out.empty()) node_->wire().Send(connection_, std::move(out));
}

void ControlConnection::OnBytes(std::string_view bytes) {
  in_ += bytes;
  const std::weak_ptr<Connection> of = connection_;
  while (!in_.empty() && !pending_.empty()) {
    ReplySkipper skipper;
    if (skipper.Feed(in_.data(), in_.size()) != ReplySkipper::Status::kEnd) return;
    const std::string reply = in_.substr(0, skipper.used());
    in_.erase(0, skipper.used());
    const auto watch = alive_.watch();
    OnReply(reply);
    if (watch.gone() || connection_ == nullptr || connection_ != of.lock()) return;
  }
}

void ControlConnection::OnReply(const std::string& bytes) {
  const Pending answered = std::move(pending_.front());
  pending_.pop_front();
  const ControlReply reply = ToControlReply(bytes);
  if (answered.step == Step::kCommand) {
    answered.done(reply);
    return;
  }
  if (!fence_.active()) return;
  if (const std::string why = OnFence(answered.step, reply); !why.empty()) Fail(why);
}

std::string ControlConnection::OnFence(Step step, const ControlReply& reply) {
  const std::string_view command = step == Step::kName   ? "CLIENT SETNAME"
                                   : step == Step::kList ? "CLIENT LIST"
                                                         : "CLIENT KILL";
  std::string why =
      TurnFence::OnAnswer(command, reply.refused, reply.refused ? reply.error : reply.text);
  if (!why.empty() || step != Step::kList) return why;
  TurnFence::Verdict verdict = fence_.OnList(reply.text, options_.database, options_.others);
  if (!verdict.why.empty()) return std::move(verdict.why);
  for (const std::string& id : verdict.kills) {
    AddStep(Step::kEndEarlier, {"CLIENT", "KILL", "ID", id});
  }
  if (!verdict.kills.empty()) AddStep(Step::kList, {"CLIENT", "LIST"});
  fencing_ = !verdict.kills.empty();
  Send();
  return {};
}

void ControlConnection::Close() {
  if (connection_ == nullptr) return;
  node_->wire().CloseByClient(connection_);
  connection_->CloseClientEnd();
  connection_ = nullptr;
  connected_ = false;
  in_.clear();
}

void ControlConnection::Fail(const std::string& why) {
  Close();
  const std::deque<Pending> failed = std::exchange(pending_, {});
  ControlReply reply;
  reply.error = why;
  const auto watch = alive_.watch();
  for (const Pending& pending : failed) {
    if (pending.done && !watch.gone()) pending.done(reply);
  }
}

void FencedControl::SetNode(uint32_t copy, Node* node, const LinkOptions& options) {
  if (connections_.size() <= copy) connections_.resize(copy + 1);
  if (connections_[copy] != nullptr && connections_[copy]->node() == node) return;
  connections_[copy] = std::make_unique<ControlConnection>(world_, node, options);
}

void FencedControl::Remove(uint32_t copy, const std::vector<std::vector<std::string>>& last) {
  std::unique_ptr<ControlConnection> connection = std::move(connections_[copy]);
  if (connection == nullptr || last.empty()) return;
  leaving_.push_back(std::move(connection));
  for (const auto& command : last) leaving_.back()->Command(command, [](const auto&) {});
}

void FencedControl::Command(uint32_t copy, std::vector<std::string> args, ControlDone done) {
  if (connections_[copy] != nullptr) connections_[copy]->Command(std::move(args), std::move(done));
}

}  // namespace gemel::sim
