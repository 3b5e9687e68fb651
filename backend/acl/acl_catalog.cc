#include "backend/acl/acl_catalog.h"

#include "backend/acl/acl_categories.h"
#include "backend/command/command_facts.h"
#include "backend/command/key_flags.h"

namespace gemel {

namespace {

// Its flags depend on the arguments.
constexpr uint8_t kByArguments = 0x80;

constexpr std::string_view kArgumentsAreRows = "debug";

// Source: ACLSelectorCheckKey of acl.c, Redis 7.0.
uint8_t RightsFor(std::string_view flags) {
  uint8_t rights = 0;
  if (flags.find("access") != std::string_view::npos) rights |= kAclRead;
  for (const std::string_view write : {"insert", "delete", "update"}) {
    if (flags.find(write) != std::string_view::npos) rights |= kAclWrite;
  }
  return rights;
}

// Source: commands_with_channels of db.c, Redis 7.0. What leaves a channel is free.
AclCatalog::Channels ChannelsOf(const CommandRow& row) {
  switch (row.local) {
    case LocalCommand::kSubscribe:
    case LocalCommand::kSSubscribe:
      return AclCatalog::Channels::kNames;
    case LocalCommand::kPSubscribe:
      return AclCatalog::Channels::kPatterns;
    case LocalCommand::kPublish:
    case LocalCommand::kSPublish:
      return AclCatalog::Channels::kFirst;
    default:
      return AclCatalog::Channels::kNone;
  }
}

AclCatalog::Command Describe(const CommandRow& row) {
  AclCatalog::Command command{};
  command.row = &row;
  command.categories = AclCategoriesOf(row);
  // CLIENT SETINFO is of a later Redis.
  command.redis =
      FindCommandFacts(row.name) != nullptr && row.local != LocalCommand::kClientSetInfo;
  command.channels = ChannelsOf(row);
  // The keys of SPUBLISH and its kind are channels.
  command.has_keys = row.key_rule != KeyRule::kNone && (row.flags & kCmdPubSub) == 0;
  if (!command.has_keys) return command;
  if (row.name == "set" || row.arg_rule == ArgRule::kBitfield) {
    command.first_key = command.other_keys = kByArguments;
    return command;
  }
  const KeyFlags flags = KeyFlagsOf(row, {});
  command.first_key = RightsFor(flags.first);
  command.other_keys = RightsFor(flags.rest);
  return command;
}

}  // namespace

AclCatalog::AclCatalog(const CommandTable* table) : table_(table), rows_(table->rows()) {
  uint32_t parent = kNone;
  for (const CommandRow& row : rows_) {
    const uint32_t number = static_cast<uint32_t>(commands_.size());
    Command command = Describe(row);
    command.end = number + 1;
    const size_t bar = row.name.find('|');
    const bool child = bar != std::string_view::npos && parent != kNone &&
                       commands_[parent].row->name == row.name.substr(0, bar);
    const bool argument = child && row.name.substr(0, bar) == kArgumentsAreRows;
    command.subcommand = child && !argument;
    if (command.subcommand) commands_[parent].end = number + 1;
    if (!child && (row.flags & kCmdContainer) != 0) parent = number;
    counts_for_.push_back(argument ? parent : number);
    commands_.push_back(command);
  }
}

uint32_t AclCatalog::Find(std::string_view name) const {
  const CommandRow* row = table_->FindByName(name);
  if (row == nullptr) return kNone;
  const uint32_t number = static_cast<uint32_t>(row - rows_.data());
  return counts_for_[number] == number ? number : kNone;
}

uint8_t AclCatalog::FirstKey(uint32_t number, std::span<const std::string_view> args) const {
  const Command& command = commands_[number];
  if (command.first_key != kByArguments) return command.first_key;
  return RightsFor(KeyFlagsOf(*command.row, args).first);
}

uint8_t AclCatalog::OtherKeys(uint32_t number, std::span<const std::string_view> args) const {
  const Command& command = commands_[number];
  if (command.other_keys != kByArguments) return command.other_keys;
  return RightsFor(KeyFlagsOf(*command.row, args).rest);
}

}  // namespace gemel
