#include "proxy/local/worker_orders.h"

#include <algorithm>

#include "backend/acl/acl_users.h"
#include "backend/bytes/budget.h"
#include "backend/command/ascii.h"
#include "backend/resp/reply_reader.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr char kSyntaxError[] = "ERR syntax error";

// Of what a client sent, as much as an answer repeats.
std::string Quotable(std::string_view text) { return std::string(text.substr(0, 300)); }

}  // namespace

ClientFilter::~ClientFilter() { Budget::Give(counted_); }

bool ClientFilter::MatchesType(const Session& session) const {
  switch (type_) {
    case Type::kAny:
      return true;
    case Type::kNormal:
      return !session.state().subscriptions.any();
    case Type::kSubscriber:
      return session.state().subscriptions.any();
    case Type::kNone:
      return false;
  }
  return false;
}

bool ClientFilter::Matches(const Session& session) const {
  if (!MatchesType(session) || session.facts().id == skip_id_) return false;
  if (addr_ && session.facts().peer != *addr_) return false;
  if (laddr_ && session.facts().local != *laddr_) return false;
  if (user_ && session.state().access.user() != *user_) return false;
  return ids_.empty() || std::find(ids_.begin(), ids_.end(), session.facts().id) != ids_.end();
}

std::string ClientFilter::ReadList(std::span<const std::string_view> args) {
  std::string wrong;
  if (args.size() == 4 && EqualsLower(args[2], "type")) {
    wrong = ReadType(args[3]);
  } else if (args.size() > 3 && EqualsLower(args[2], "id")) {
    for (const std::string_view arg : args.subspan(3)) {
      int64_t id = 0;
      if (!ParseInteger(arg, &id)) wrong = "ERR Invalid client ID";
      ids_.push_back(static_cast<uint64_t>(id));
    }
  } else if (args.size() > 2) {
    wrong = kSyntaxError;
  }
  Count();
  return wrong;
}

std::string ClientFilter::ReadKill(std::span<const std::string_view> args, uint64_t own_id,
                                   const AclUsers& users) {
  std::string wrong;
  if (args.size() == 3) {
    old_form_ = true;
    addr_ = args[2];
  } else {
    skip_id_ = own_id;
    for (size_t at = 2; at < args.size() && wrong.empty(); at += 2) {
      wrong = at + 1 < args.size() ? ReadFilter(args[at], args[at + 1], users) : kSyntaxError;
    }
  }
  Count();
  return wrong;
}

void ClientFilter::Count() {
  counted_ = sizeof(ClientFilter) + ids_.capacity() * sizeof(uint64_t);
  for (const auto* text : {&addr_, &laddr_, &user_}) counted_ += *text ? (*text)->capacity() : 0;
  Budget::Take(counted_);
}

std::string ClientFilter::ReadType(std::string_view type) {
  const bool none =
      EqualsLower(type, "master") || EqualsLower(type, "replica") || EqualsLower(type, "slave");
  type_ = EqualsLower(type, "normal") ? Type::kNormal : none ? Type::kNone : Type::kSubscriber;
  const bool known = type_ != Type::kSubscriber || EqualsLower(type, "pubsub");
  return known ? "" : "ERR Unknown client type '" + Quotable(type) + "'";
}

std::string ClientFilter::ReadFilter(std::string_view word, std::string_view value,
                                     const AclUsers& users) {
  if (EqualsLower(word, "id")) {
    int64_t id = 0;
    if (!ParseInteger(value, &id) || id < 1) return "ERR client-id should be greater than 0";
    ids_.assign(1, static_cast<uint64_t>(id));
  } else if (EqualsLower(word, "type")) {
    return ReadType(value);
  } else if (EqualsLower(word, "addr")) {
    addr_ = value;
  } else if (EqualsLower(word, "laddr")) {
    laddr_ = value;
  } else if (EqualsLower(word, "user")) {
    if (users.Find(value) == nullptr) return "ERR No such user '" + Quotable(value) + "'";
    user_ = value;
  } else if (EqualsLower(word, "skipme")) {
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
