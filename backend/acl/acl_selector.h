// What a selector of a user allows: commands, keys, channels. A user has one of its own, and maybe
// more, each in parentheses; one of them has to allow all that a command does.

#ifndef GEMEL_BACKEND_ACL_ACL_SELECTOR_H_
#define GEMEL_BACKEND_ACL_ACL_SELECTOR_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/acl/acl_catalog.h"

namespace gemel {

// Why a rule is refused.
enum class AclMistake : uint8_t {
  kNone,
  kUnknownName,       // of a command or category
  kSyntax,            // or a pattern with spaces
  kKeysAfterAll,      // a pattern of keys behind ~*
  kChannelsAfterAll,  // likewise &*
  kNoSuchPassword,    // to be removed
  kBadHash,
  kArgumentOfSubcommand,  // +config|get|x
};

// Redis's sentence.
std::string_view AclMistakeText(AclMistake mistake);

enum class AclDenied : uint8_t { kNothing, kCommand, kKey, kChannel };

// A command that is judged. One for all selectors: its keys are looked for once.
class AclCommand {
 public:
  // All outlive it. `keys` is scratch.
  AclCommand(const AclCatalog& catalog, const CommandRow& row,
             std::span<const std::string_view> args, std::vector<uint32_t>* keys)
      : catalog_(catalog), row_(row), args_(args), keys_(keys), number_(catalog.NumberOf(row)) {}

  const AclCatalog& catalog() const { return catalog_; }
  const CommandRow& row() const { return row_; }
  std::span<const std::string_view> args() const { return args_; }
  uint32_t number() const { return number_; }
  // Where its keys are. Of one whose arguments are malformed, nowhere: it goes to no shard.
  std::span<const uint32_t> Keys();

 private:
  const AclCatalog& catalog_;
  const CommandRow& row_;
  std::span<const std::string_view> args_;
  std::vector<uint32_t>* keys_;
  uint32_t number_;
  bool looked_ = false;
};

// Source: acl.c of Redis 7.0, which it follows rule by rule.
class AclSelector {
 public:
  // It allows nothing.
  explicit AclSelector(const AclCatalog& catalog);

  // Takes one rule: +get, -@write, ~cache:*, %R~x, &news, allkeys, ...
  AclMistake Apply(const AclCatalog& catalog, std::string_view rule);

  // What of the command it does not allow; *at is the argument then, if it is a key or channel.
  AclDenied Check(AclCommand* command, uint32_t* at) const;
  // It allows a channel that a client has subscribed to.
  bool AllowsChannel(std::string_view channel, bool pattern) const;
  // All keys may be read.
  bool ReadsAllKeys() const;
  // Nothing is refused.
  bool AllowsAll() const { return all_commands_ && all_keys_ && all_channels_; }
  bool all_channels() const { return all_channels_; }
  // All that a script may do: each command that scripts can call, with all keys and channels.
  bool AllowsScripts(const AclCatalog& catalog) const;
  std::span<const std::string> channels() const { return channels_; }

  // The rules that make it, as Redis writes them: "~* &* +@all".
  std::string Describe(const AclCatalog& catalog) const;
  std::string DescribeCommands(const AclCatalog& catalog) const;
  std::string DescribeKeys() const;
  std::string DescribeChannels() const;  // without "resetchannels"

  bool operator==(const AclSelector&) const = default;

 private:
  struct KeyPattern {
    std::string pattern;
    uint8_t rights;  // kAclRead, kAclWrite
    bool operator==(const KeyPattern&) const = default;
  };

  bool Has(uint32_t number) const { return (bits_[number / 64] >> (number % 64) & 1) != 0; }
  void Set(uint32_t number, bool allowed);
  void SetAll(bool allowed);
  void Change(const AclCatalog& catalog, uint32_t number, bool allowed);
  void ChangeCategory(const AclCatalog& catalog, uint32_t bit, bool allowed);
  AclMistake ApplyToCommands(const AclCatalog& catalog, std::string_view rule);
  AclMistake AllowFirstArg(const AclCatalog& catalog, std::string_view rule);
  AclMistake AddKeys(std::string_view rule);
  AclMistake AddChannels(std::string_view rule);
  bool AllowsKey(std::string_view key, uint8_t rights) const;
  bool AllowsCommand(const AclCommand& command) const;
  AclDenied CheckChannels(const AclCommand& command, uint32_t* at) const;
  bool CanFuture() const { return Has(future_); }
  void DescribeCategories(const AclCatalog& catalog, AclSelector* fake, std::string* rules) const;
  void DescribeRest(const AclCatalog& catalog, AclSelector* fake, std::string* rules) const;

  uint32_t future_;             // the number behind the last command's: those that come later
  std::vector<uint64_t> bits_;  // of the commands, by their numbers
  std::map<uint32_t, std::vector<std::string>> first_args_;
  std::vector<KeyPattern> keys_;
  std::vector<std::string> channels_;
  bool all_commands_ = false;
  bool all_keys_ = false;
  bool all_channels_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ACL_ACL_SELECTOR_H_
