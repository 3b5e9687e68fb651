#include "backend/paxos/paxos_config.h"

#include <xxhash.h>

#include <algorithm>

#include "backend/paxos/ballot.h"

namespace gemel {

namespace {

bool Has(const std::vector<PaxosMember>& members, const PaxosMember& member) {
  return std::find(members.begin(), members.end(), member) != members.end();
}

void Append(std::string_view word, const std::vector<PaxosMember>& members, std::string* text) {
  for (const PaxosMember& member : members) {
    *text += word;
    *text += ' ' + member.nonce + ' ' + member.node + '\n';
  }
}

}  // namespace

bool PaxosConfig::IsNext(const PaxosMember& member) const { return Has(next, member); }

std::vector<PaxosMember> PaxosConfig::Acceptors() const {
  std::vector<PaxosMember> all = now;
  for (const PaxosMember& member : next) {
    if (!Has(all, member)) all.push_back(member);
  }
  return all;
}

bool PaxosConfig::IsQuorum(const std::vector<bool>& some) const {
  const std::vector<PaxosMember> all = Acceptors();
  size_t of_now = 0;
  size_t of_next = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!some[i]) continue;
    of_now += Has(now, all[i]);
    of_next += Has(next, all[i]);
  }
  return of_now > now.size() / 2 && (next.empty() || of_next > next.size() / 2);
}

std::string PaxosConfig::Encode() const {
  std::string text = PaddedNumber(epoch) + '\n';
  Append("now", now, &text);
  Append("next", next, &text);
  Append("out", out, &text);
  if (plan > 0) text += "plan " + PaddedNumber(plan) + " -\n";
  return text;
}

bool PaxosConfig::Decode(std::string_view text, PaxosConfig* config) {
  *config = {};
  const size_t head = text.find('\n');
  if (head == text.npos || !ParsePaddedNumber(text.substr(0, head), &config->epoch)) return false;
  text.remove_prefix(head + 1);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.size() == text.size()) return false;
    text.remove_prefix(line.size() + 1);
    const size_t first = line.find(' ');
    const size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
    if (second == line.npos) return false;
    const std::string_view word = line.substr(0, first);
    const std::string_view nonce = line.substr(first + 1, second - first - 1);
    if (word == "plan") {
      if (!ParsePaddedNumber(nonce, &config->plan)) return false;
      continue;
    }
    std::vector<PaxosMember>* const some = word == "now"    ? &config->now
                                           : word == "next" ? &config->next
                                           : word == "out"  ? &config->out
                                                            : nullptr;
    if (some == nullptr) return false;
    some->push_back({std::string(line.substr(second + 1)), std::string(nonce)});
  }
  return !config->now.empty();
}

std::string PaxosConfig::Id() const {
  const std::string text = Encode();
  return PaddedNumber(XXH3_64bits(text.data(), text.size()));
}

PaxosMember LeftOut(const std::string& node, const std::string& nonce, uint64_t epoch) {
  return {node, nonce + '/' + PaddedNumber(epoch)};
}

bool IsAsLeftOut(const PaxosMember& out, const std::string& nonce) {
  const std::string had = out.nonce.substr(0, out.nonce.rfind('/'));
  return had == nonce || had == kAnyNonce;
}

PaxosConfig FoundingConfig(std::vector<PaxosMember> offers) {
  std::sort(offers.begin(), offers.end(),
            [](const PaxosMember& a, const PaxosMember& b) { return a.node < b.node; });
  std::vector<PaxosMember> different;
  for (PaxosMember& offer : offers) {
    const bool known =
        std::any_of(different.begin(), different.end(),
                    [&](const PaxosMember& other) { return other.nonce == offer.nonce; });
    if (!known) different.push_back(std::move(offer));
  }
  return {0, std::move(different), {}};
}

}  // namespace gemel
