// A user as Redis 7.0 knows it: on or off, passwords, selectors. Made by rules, one after the
// other; from then on it does not change, and whoever has it may read it.

#ifndef GEMEL_BACKEND_ACL_ACL_USER_H_
#define GEMEL_BACKEND_ACL_ACL_USER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/acl/acl_selector.h"
#include "backend/acl/user_meter.h"

namespace gemel {

class AclUser {
 public:
  // As ACL SETUSER makes it: off, without passwords, and allowed nothing.
  AclUser(const AclCatalog& catalog, std::string name);

  // Takes one rule: on, >password, (~x +get), +@read, reset, ... An empty one does nothing.
  AclMistake Apply(const AclCatalog& catalog, std::string_view rule);
  // The same of all of them, where a selector's words may be several rules. Empty; or Redis's
  // sentence, which shows the rule that is wrong: not for the log. Some may have been applied then.
  std::string ApplyAll(const AclCatalog& catalog, std::span<const std::string> rules);

  const std::string& name() const { return name_; }
  bool on() const { return on_; }
  bool nopass() const { return nopass_; }
  // Whoever connects is this user, if it is the first one.
  bool open() const { return on_ && nopass_; }
  // `hash` is the PasswordHash of what a client gave. Takes the same time whatever is right.
  bool Takes(std::string_view hash) const;

  // What of a command it does not allow. `keys` is scratch; *at is the argument, if it is a key or
  // channel.
  AclDenied Check(const AclCatalog& catalog, const CommandRow& row,
                  std::span<const std::string_view> args, std::vector<uint32_t>* keys,
                  uint32_t* at) const;
  // It may all that there is: Check need not be asked.
  bool AllowsAll() const;
  // SORT with BY or GET reads keys that are not named: who may, may read all of them.
  bool AllowsUnnamedKeys(const AclCatalog& catalog, const CommandRow& row,
                         std::span<const std::string_view> args, std::vector<uint32_t>* keys) const;
  // It may run scripts and functions, in which nobody looks what they do: it may all that these
  // can, or its table in the file says so.
  bool AllowsScripts(const AclCatalog& catalog) const;
  // Redis's rule of whose subscribers are closed once `to` takes its place: false, if none of what
  // it allowed is missing there.
  bool LosesChannels(const AclUser& to) const;
  bool AllowsChannel(std::string_view channel, bool pattern) const;

  // The rules that make it, as ACL LIST has them behind the name: passwords as hashes.
  std::string Describe(const AclCatalog& catalog) const;
  // "on", "nopass", "sanitize-payload", ...
  std::vector<std::string_view> Flags() const;
  std::span<const std::string> passwords() const { return passwords_; }
  // The first is its own; the others were given in parentheses.
  std::span<const AclSelector> selectors() const { return selectors_; }

  // --- of its table in the file ---
  bool trusted_scripts = false;
  std::string prefix;  // of all its keys, which it does not see; empty: none
  UserLimits limits;
  std::shared_ptr<UserMeter> meter;  // what it has of these; of nobody yet: null

  bool operator==(const AclUser&) const = default;

 private:
  AclMistake ApplyPassword(std::string_view rule);
  AclMistake AddSelector(const AclCatalog& catalog, std::string_view rule);
  void Reset(const AclCatalog& catalog);

  // Redis tells of neither before a rule said so.
  enum class Sanitize : uint8_t { kUntold, kYes, kNo };

  std::string name_;
  bool on_ = false;
  bool nopass_ = false;
  Sanitize sanitize_ = Sanitize::kUntold;
  std::vector<std::string> passwords_;  // hashes
  std::vector<AclSelector> selectors_;
};

// Words of which "(+get" and "~x)" are one rule become that. False: one is not closed, *at of them.
bool MergeAclSelectors(std::span<const std::string> words, std::vector<std::string>* rules,
                       size_t* at);

}  // namespace gemel

#endif  // GEMEL_BACKEND_ACL_ACL_USER_H_
