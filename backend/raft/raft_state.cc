#include "backend/raft/raft_state.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "backend/peer/peer_wire.h"

namespace gemel {

namespace {

constexpr std::string_view kSnapshotMagic = "gemel-raft-2";
constexpr size_t kSumBytes = 8;

uint64_t SumOf(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace

RaftState::Client* RaftState::Touch(uint64_t client) {
  if (!clients_.contains(client) && clients_.size() >= kMostClients) {
    clients_.erase(std::min_element(clients_.begin(), clients_.end(), [](auto& one, auto& other) {
      return one.second.used < other.second.used;
    }));
  }
  Client& found = clients_[client];
  found.used = ++used_;
  return &found;
}

RaftState::Result RaftState::Change(const RaftCommand& command) {
  const auto found = registers_.find(command.name);
  const uint64_t there = found == registers_.end() ? 0 : found->second.version;
  if (there != command.expected) return {false, there};
  registers_[command.name] = {command.text, ++version_};
  return {true, version_};
}

RaftState::Result RaftState::Apply(const RaftCommand& command) {
  Client* client = Touch(command.client);
  client->floor = std::max(client->floor, command.floor);
  client->results.erase(client->results.begin(), client->results.lower_bound(client->floor));
  // Nobody waits for it: it was answered long ago.
  if (command.seq < client->floor) return {false, 0};
  if (const auto found = client->results.find(command.seq); found != client->results.end()) {
    return found->second;
  }
  const Result result = Change(command);
  client->results.emplace(command.seq, result);
  if (client->results.size() > kMostPerClient) {
    client->floor = client->results.begin()->first + 1;
    client->results.erase(client->results.begin());
  }
  return result;
}

RegisterValue RaftState::Read(const std::string& name) const {
  const auto found = registers_.find(name);
  return found == registers_.end() ? RegisterValue() : found->second;
}

std::vector<NamedRegister> RaftState::List(std::string_view prefix, uint64_t since) const {
  std::vector<NamedRegister> all;
  for (auto each = registers_.lower_bound(prefix);
       each != registers_.end() && each->first.starts_with(prefix); ++each) {
    if (each->second.version > since) all.push_back({each->first, each->second});
  }
  return all;
}

std::string RaftState::Snapshot() const {
  std::string bytes;
  WireWriter writer(&bytes);
  writer.Raw(kSnapshotMagic);
  writer.U64(version_);
  writer.U64(used_);
  writer.U32(static_cast<uint32_t>(registers_.size()));
  for (const auto& [name, value] : registers_) {
    writer.Text(name);
    writer.U64(value.version);
    writer.Text(value.text);
  }
  writer.U32(static_cast<uint32_t>(clients_.size()));
  for (const auto& [id, client] : clients_) {
    writer.U64(id);
    writer.U64(client.used);
    writer.U64(client.floor);
    writer.U32(static_cast<uint32_t>(client.results.size()));
    for (const auto& [seq, result] : client.results) {
      writer.U64(seq);
      writer.U64(result.Packed());
    }
  }
  // libraft has none of what is in a snapshot.
  writer.U64(SumOf(bytes));
  return bytes;
}

bool RaftState::Restore(std::string_view bytes) {
  if (bytes.size() < kSumBytes) return false;
  const std::string_view content = bytes.substr(0, bytes.size() - kSumBytes);
  WireReader sum(bytes.substr(content.size()));
  if (sum.U64() != SumOf(content)) return false;
  WireReader reader(content);
  if (reader.Raw(kSnapshotMagic.size()) != kSnapshotMagic) return false;
  RaftState state;
  state.version_ = reader.U64();
  state.used_ = reader.U64();
  for (size_t left = reader.Count(4 + 8 + 4); left > 0; --left) {
    std::string name(reader.Text());
    RegisterValue& value = state.registers_[std::move(name)];
    value.version = reader.U64();
    value.text = reader.Text();
  }
  for (size_t left = reader.Count(8 + 8 + 8 + 4); left > 0; --left) {
    Client& client = state.clients_[reader.U64()];
    client.used = reader.U64();
    client.floor = reader.U64();
    for (size_t results = reader.Count(8 + 8); results > 0; --results) {
      const uint64_t seq = reader.U64();
      client.results[seq] = Result::Unpacked(reader.U64());
    }
  }
  if (!reader.AtEnd()) return false;
  *this = std::move(state);
  return true;
}

}  // namespace gemel
