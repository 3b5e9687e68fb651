#include "tests/sim/sim_watchers.h"

#include <utility>

#include "backend/command/block.h"
#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel::sim {

namespace {

std::string Frame(const std::vector<std::string_view>& args) { return CommandFrame(args); }

}  // namespace

void Watchers::Begin(const std::string& key, size_t clients) {
  for (size_t i = 0; i < clients; ++i) {
    Client& client = clients_.emplace_back();
    client.key = key;
    client.session = static_cast<uint32_t>(10000 + clients_.size());
    client.sink = this;
    Turn(&client);
  }
}

void Watchers::Turn(Client* client) {
  client->step = Step::kIdle;
  loop_->After(loop_->Between(100, 40000), [this, client] {
    if (stopped_ || away_ || client->step != Step::kIdle) return;
    client->ticket = std::make_shared<WatchTicket>();
    auto cargo = std::make_unique<WatchCargo>();
    cargo->ticket = client->ticket;
    client->Extra().cargo = std::move(cargo);
    Ask(client, Step::kWatch, RequestKind::kWatch,
        std::string(kMultiFrame) + Frame({"PTTL", client->key}) + std::string(kExecFrame), true);
  });
}

void Watchers::Ask(Client* client, Step step, RequestKind kind, std::string frame, bool block) {
  client->step = step;
  client->kind = kind;
  client->block = block;
  client->guarded = step == Step::kExec;
  client->database = database_(client->key);
  client->row = table_->FindByName(step == Step::kWatch ? "pttl"
                                   : step == Step::kGet ? "get"
                                                        : "set");
  client->Extra().owned.Clear();
  client->text = std::move(frame);
  client->frame = client->text;
  if (!submit_(client, client->key)) Turn(client);
}

void Watchers::OnReply(Request* request, const Reply& reply) {
  if (away_) return;
  Client* client = static_cast<Client*>(request);
  const bool error = reply.bytes[0] == '-';
  std::vector<std::string_view> elements;
  switch (client->step) {
    case Step::kIdle:
      return;
    case Step::kWatch:
      if (!SplitArray(reply.bytes, &elements) || elements.size() != 1) break;
      client->existed = elements[0] != ":-2\r\n";
      Ask(client, Step::kGet, RequestKind::kRead, Frame({"GET", client->key}), false);
      return;
    case Step::kGet: {
      if (error) break;
      const std::string_view text = IsNullReply(reply.bytes) ? "0" : ReplyText(reply.bytes);
      const std::string next = std::to_string(std::stoull(std::string(text)) + 1);
      auto cargo = std::make_unique<WatchCargo>();
      cargo->ticket = client->ticket;
      if (client->existed) cargo->existed.push_back(MakeKeyName(client->database, client->key));
      client->Extra().cargo = std::move(cargo);
      Ask(client, Step::kExec, RequestKind::kWrite,
          std::string(kMultiFrame) + Frame({"SET", client->key, next}) + std::string(kExecFrame),
          true);
      return;
    }
    case Step::kExec: {
      Counter& counter = counters_[client->key];
      if (error) {
        counter.unknown += reply.bytes.find("may or may not") != std::string_view::npos;
      } else if (IsNullReply(reply.bytes)) {
        ++touched_;
      } else {
        ++counter.raised;
      }
      break;
    }
  }
  client->ticket->dropped = true;
  Turn(client);
}

void Watchers::OnCrash() {
  away_ = true;
  for (Client& client : clients_) {
    if (client.step == Step::kExec) ++counters_[client.key].unknown;
    client.step = Step::kIdle;
  }
}

void Watchers::OnStart() {
  if (!std::exchange(away_, false)) return;
  for (Client& client : clients_) Turn(&client);
}

bool Watchers::Idle() const {
  for (const Client& client : clients_) {
    if (client.step != Step::kIdle) return false;
  }
  return true;
}

void Watchers::Check(const std::map<std::string, std::string>& content,
                     const std::function<void(std::string)>& report) const {
  for (const auto& [key, counter] : counters_) {
    const auto found = content.find(key);
    const uint64_t value = found == content.end() ? 0 : std::stoull(found->second);
    if (value >= counter.raised && value <= counter.raised + counter.unknown) continue;
    report("counter " + key + " is " + std::to_string(value) + ", and was raised " +
           std::to_string(counter.raised) + " times by WATCH, maybe " +
           std::to_string(counter.unknown) + " more");
  }
}

uint64_t Watchers::raised() const {
  uint64_t raised = 0;
  for (const auto& [key, counter] : counters_) raised += counter.raised;
  return raised;
}

}  // namespace gemel::sim
