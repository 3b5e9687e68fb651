#include "backend/paxos/paxos_messages.h"

#include <charconv>

namespace gemel {

namespace {

const char* NameOf(PaxosAsk::Kind kind) {
  switch (kind) {
    case PaxosAsk::Kind::kHello:
      return "HELLO";
    case PaxosAsk::Kind::kOffer:
      return "OFFER";
    case PaxosAsk::Kind::kInstall:
      return "INSTALL";
    case PaxosAsk::Kind::kResume:
      return "RESUME";
    case PaxosAsk::Kind::kRead:
      return "READ";
    case PaxosAsk::Kind::kPrepare:
      return "PREPARE";
    case PaxosAsk::Kind::kAccept:
      return "ACCEPT";
    case PaxosAsk::Kind::kNames:
      return "NAMES";
  }
  return "";
}

// A number between its mark and the end of its line.
bool TakeNumber(char mark, std::string_view* frame, size_t* number) {
  const size_t end = frame->find("\r\n");
  if (end == frame->npos || frame->front() != mark) return false;
  const char* const last = frame->data() + end;
  const auto [at, error] = std::from_chars(frame->data() + 1, last, *number);
  if (error != std::errc() || at != last) return false;
  frame->remove_prefix(end + 2);
  return true;
}

bool TakeTexts(std::string_view frame, std::vector<std::string>* texts) {
  size_t count = 0;
  if (!TakeNumber('*', &frame, &count)) return false;
  for (; count > 0; --count) {
    size_t size = 0;
    if (!TakeNumber('$', &frame, &size) || frame.size() < 2 || frame.size() - 2 < size) {
      return false;
    }
    texts->emplace_back(frame.substr(0, size));
    frame.remove_prefix(size + 2);
  }
  return true;
}

PaxosAnswer NoAnswer() {
  PaxosAnswer answer;
  answer.why = "its answer is not one of the register script";
  return answer;
}

PaxosAnswer Good(PaxosAsk::Kind asked, std::vector<std::string> texts) {
  PaxosAnswer answer{PaxosAnswer::Kind::kOk};
  switch (asked) {
    case PaxosAsk::Kind::kRead:
    case PaxosAsk::Kind::kPrepare:
      if (texts.size() != 4) return NoAnswer();
      answer.promised = Ballot::FromText(texts[1]);
      answer.accepted = Ballot::FromText(texts[2]);
      answer.value = std::move(texts[3]);
      break;
    case PaxosAsk::Kind::kNames:
      texts.erase(texts.begin());
      answer.names = std::move(texts);
      break;
    default:
      break;
  }
  return answer;
}

}  // namespace

std::vector<std::string> PaxosAsk::ToArgs() const {
  return {NameOf(kind), nonce, PaddedNumber(epoch), config_id, name, ballot.ToText(), text};
}

PaxosAnswer PaxosAnswer::Parse(PaxosAsk::Kind asked, std::string_view frame) {
  std::vector<std::string> texts;
  if (!TakeTexts(frame, &texts) || texts.empty()) return NoAnswer();
  const std::string& kind = texts[0];
  if (kind == "OK") return Good(asked, std::move(texts));
  PaxosAnswer answer;
  if (kind == "REPLICA") {
    answer.why = "it is a replica of another server at the moment";
    return answer;
  }
  if (kind == "EVICTS" && texts.size() == 2) {
    answer.evicts = texts[1];
    answer.why = "it may evict the registers as any key (maxmemory-policy " + texts[1] + ")";
    return answer;
  }
  if (kind == "CONFLICT" && texts.size() == 2) {
    answer.kind = Kind::kConflict;
    answer.promised = Ballot::FromText(texts[1]);
    return answer;
  }
  if (texts.size() != 8) return NoAnswer();
  if (kind == "ABOUT") {
    answer.kind = Kind::kAbout;
  } else if (kind == "STRANGER") {
    answer.kind = Kind::kStranger;
  } else if (kind == "RESTARTED") {
    answer.kind = Kind::kRestarted;
  } else if (kind == "OTHER") {
    answer.kind = Kind::kOther;
  } else if (kind == "BEHIND") {
    answer.kind = Kind::kBehind;
  } else {
    return NoAnswer();
  }
  answer.nonce = texts[1];
  if (!texts[2].empty() && !ParsePaddedNumber(texts[2], &answer.epoch)) return NoAnswer();
  answer.offer = texts[3];
  answer.config = texts[4];
  answer.run = texts[5];
  answer.me = texts[6];
  answer.voided = texts[7];
  return answer;
}

}  // namespace gemel
