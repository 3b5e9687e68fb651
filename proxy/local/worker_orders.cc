#include "proxy/local/worker_orders.h"

#include <algorithm>

#include "backend/bytes/budget.h"
#include "backend/command/ascii.h"
#include "backend/resp/reply_reader.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr char kSyntaxError[] = "ERR syntax error";

}  // namespace

ClientFilter::~ClientFilter() { Budget::Give(counted_); }

bool ClientFilter::Matches(const Session& session) const {
  if (!normal_ || session.facts().id == skip_id_) return false;
  if (addr_ && session.facts().peer != *addr_) return false;
  if (laddr_ && session.facts().local != *laddr_) return false;
  if (user_ && session.state().access.user() != *user_) return false;
  return ids_.empty() || std::find(ids_.begin(), ids_.end(), session.facts().id) != ids_.end();
}

std::string ClientFilter::Read(std::span<const std::string_view> args, bool kill, uint64_t own_id) {
  std::string wrong;
  if (kill && args.size() == 3) {
    old_form_ = true;
    addr_ = args[2];
  } else {
    if (kill) skip_id_ = own_id;
    for (size_t at = 2; at < args.size() && wrong.empty();) {
      if (at + 1 >= args.size()) {
        wrong = kSyntaxError;
      } else if (EqualsLower(args[at], "id")) {
        wrong = ReadIds(args, kill, &at);
      } else {
        wrong = ReadWord(args[at], args[at + 1], kill);
        at += 2;
      }
    }
  }
  counted_ = sizeof(ClientFilter) + ids_.capacity() * sizeof(uint64_t);
  for (const auto* text : {&addr_, &laddr_, &user_}) counted_ += *text ? (*text)->capacity() : 0;
  Budget::Take(counted_);
  return wrong;
}

// LIST takes many behind one word, KILL one.
std::string ClientFilter::ReadIds(std::span<const std::string_view> args, bool kill, size_t* at) {
  int64_t id = 0;
  for (++*at; *at < args.size() && ParseInteger(args[*at], &id); ++*at) {
    ids_.push_back(static_cast<uint64_t>(id));
    if (kill && id < 1) return "ERR client-id should be greater than 0";
    if (kill) {
      ++*at;
      break;
    }
  }
  return ids_.empty() ? "ERR client-id should be greater than 0" : "";
}

std::string ClientFilter::ReadWord(std::string_view word, std::string_view value, bool kill) {
  if (EqualsLower(word, "type")) {
    normal_ = EqualsLower(value, "normal");
    const bool known = normal_ || EqualsLower(value, "master") || EqualsLower(value, "replica") ||
                       EqualsLower(value, "slave") || EqualsLower(value, "pubsub");
    return known ? "" : "ERR Unknown client type '" + std::string(value.substr(0, 300)) + "'";
  }
  if (kill && EqualsLower(word, "addr")) {
    addr_ = value;
  } else if (kill && EqualsLower(word, "laddr")) {
    laddr_ = value;
  } else if (kill && EqualsLower(word, "user")) {
    user_ = value;
  } else if (kill && EqualsLower(word, "skipme")) {
    if (EqualsLower(value, "no")) {
      skip_id_ = 0;
    } else if (!EqualsLower(value, "yes")) {
      return kSyntaxError;
    }
  } else {
    return kSyntaxError;
  }
  return {};
}

}  // namespace gemel
