#include "backend/raft/raft_messages.h"

#include "backend/peer/peer_wire.h"

namespace gemel {

namespace {

constexpr size_t kMostName = 512;
// An entry of libraft's log has a multiple of it; it takes no other.
constexpr size_t kEntryUnit = 8;

// What Encode put behind a command.
bool IsPadding(std::string_view rest) {
  return rest.size() < kEntryUnit && rest.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

std::string RaftCommand::Encode() const {
  std::string bytes;
  WireWriter writer(&bytes);
  writer.U8(1);  // the format
  writer.U64(client);
  writer.U64(seq);
  writer.U64(floor);
  writer.Text(name);
  writer.U64(expected);
  writer.Text(text);
  bytes.resize((bytes.size() + kEntryUnit - 1) / kEntryUnit * kEntryUnit);
  return bytes;
}

std::optional<RaftCommand> RaftCommand::Decode(std::string_view bytes) {
  WireReader reader(bytes);
  if (reader.U8() != 1) return std::nullopt;
  RaftCommand command;
  command.client = reader.U64();
  command.seq = reader.U64();
  command.floor = reader.U64();
  command.name = reader.Text(kMostName);
  command.expected = reader.U64();
  command.text = reader.Text(Registers::kMaxText);
  if (!reader.ok() || !IsPadding(reader.Rest())) return std::nullopt;
  return command;
}

std::string RaftAsk::Encode() const {
  std::string bytes;
  WireWriter writer(&bytes);
  writer.U8(static_cast<uint8_t>(kind));
  writer.U64(id);
  if (kind == Kind::kWrite) {
    writer.Text(command.Encode());
  } else {
    writer.Text(name);
  }
  if (kind == Kind::kList) writer.U64(since);
  return bytes;
}

std::optional<RaftAsk> RaftAsk::Decode(std::string_view bytes) {
  WireReader reader(bytes);
  RaftAsk ask;
  const uint8_t kind = reader.U8();
  if (kind < static_cast<uint8_t>(Kind::kRead) || kind > static_cast<uint8_t>(Kind::kRemoveVoter)) {
    return std::nullopt;
  }
  ask.kind = Kind{kind};
  ask.id = reader.U64();
  if (ask.kind == Kind::kWrite) {
    std::optional<RaftCommand> command = RaftCommand::Decode(reader.Text());
    if (!command) return std::nullopt;
    ask.command = *std::move(command);
  } else {
    ask.name = reader.Text(kMostName);
  }
  if (ask.kind == Kind::kList) ask.since = reader.U64();
  if (!reader.AtEnd()) return std::nullopt;
  return ask;
}

std::string RaftAnswer::Encode() const {
  std::string bytes;
  WireWriter writer(&bytes);
  writer.U8(static_cast<uint8_t>(kind));
  writer.U64(id);
  writer.U64(version);
  writer.Text(leader);
  writer.U32(static_cast<uint32_t>(values.size()));
  for (const NamedRegister& each : values) {
    writer.Text(each.name);
    writer.U64(each.value.version);
    writer.Text(each.value.text);
  }
  if (kind == Kind::kStanding) {
    writer.U64(standing.term);
    writer.U64(standing.committed);
    writer.U64(standing.applied);
  }
  return bytes;
}

std::optional<RaftAnswer> RaftAnswer::Decode(std::string_view bytes) {
  WireReader reader(bytes);
  RaftAnswer answer;
  const uint8_t kind = reader.U8();
  if (kind < static_cast<uint8_t>(Kind::kDone) || kind > static_cast<uint8_t>(Kind::kRefused)) {
    return std::nullopt;
  }
  answer.kind = Kind{kind};
  answer.id = reader.U64();
  answer.version = reader.U64();
  answer.leader = reader.Text(kMostName);
  answer.values.resize(reader.Count(4 + 8 + 4));
  for (NamedRegister& each : answer.values) {
    each.name = reader.Text(kMostName);
    each.value.version = reader.U64();
    each.value.text = reader.Text(Registers::kMaxText);
  }
  if (answer.kind == Kind::kStanding) {
    answer.standing.term = reader.U64();
    answer.standing.committed = reader.U64();
    answer.standing.applied = reader.U64();
  }
  if (!reader.AtEnd()) return std::nullopt;
  return answer;
}

}  // namespace gemel
