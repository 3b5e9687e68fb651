#include "proxy/local/node_options.h"

#include <algorithm>

#include "backend/command/ascii.h"
#include "backend/settings/event_flags.h"
#include "backend/settings/option_text.h"
#include "proxy/local/ask_nodes.h"
#include "proxy/options/kept_options.h"

namespace gemel {

namespace {

constexpr std::string_view kEventsOption = "notify-keyspace-events";
// Each copy has another one, so that the primary evicts first.
constexpr std::string_view kMemoryOption = "maxmemory";

struct OfEachNode {
  std::string_view prefix;
  std::string_view why;
};
constexpr std::string_view kWhere = "it is a matter of each node: set it there";
constexpr std::string_view kCopies = "gemel keeps the copies equal itself, and needs it as it is";
constexpr OfEachNode kOfEachNode[] = {
    {"port", kWhere},           {"bind", kWhere},
    {"unixsocket", kWhere},     {"tls-", kWhere},
    {"cluster-", kWhere},       {"masterauth", kCopies},
    {"masteruser", kCopies},    {"acl", kWhere},
    {"repl", kCopies},          {"slave", kCopies},
    {"min-", kCopies},          {"dbfilename", kWhere},
    {"appendfilename", kWhere}, {"appenddirname", kWhere},
    {"pidfile", kWhere},        {"syslog-", kWhere},
    {"enable-", kWhere},        {"databases", kWhere},
    {"daemonize", kWhere},      {"supervised", kWhere},
    {"rename-command", kWhere}, {"client-query-buffer-limit", kCopies},
    {"loadmodule", kWhere},     {"user", kWhere},
    {"proc-title", kWhere},     {"crash-", kWhere},
};
// What no client is told.
constexpr std::string_view kSecretOptions[] = {"requirepass", "masterauth", "masteruser",
                                               "tls-key-file-pass", "tls-client-key-file-pass"};

bool IsGlob(std::string_view pattern) {
  return pattern.find_first_of("*?[\\") != std::string_view::npos;
}

NodeOptionList PairsOf(std::string_view text) {
  NodeOptionList pairs;
  ForEachOption(text, [&](std::string_view name, std::string_view value) {
    pairs.emplace_back(name, value);
  });
  return pairs;
}

// One option, as the nodes have it.
struct Agreed {
  std::string value;
  std::string differs;  // a sentence; empty: they agree
  bool known = false;
};

class Answers {
 public:
  void Add(const NodeSaid& said) {
    for (const ControlReply& reply : said.answer.replies) {
      if (!reply.ok) {
        if (error_.empty()) error_ = reply.error + OfNode(said);
        continue;
      }
      answered_ = true;
      for (const auto& [name, value] : PairsOf(reply.text)) AddValue(said, name, value);
    }
  }
  const std::map<std::string, Agreed>& options() const { return options_; }
  // Empty: some node has answered.
  std::string WhyNone() const {
    if (answered_) return {};
    return error_.empty() ? "ERR no node is connected that could be asked" : "ERR " + error_;
  }

 private:
  void AddValue(const NodeSaid& said, const std::string& name, const std::string& value) {
    Agreed& option = options_[name];
    if (name == kMemoryOption && !said.answer.primary) return;
    if (!option.known) {
      option.known = true;
      option.value = value;
      first_[name] = said.answer.node;
    } else if (option.value != value && option.differs.empty()) {
      option.differs = "ERR the nodes have different values of '" + name + "': " + first_[name] +
                       " has '" + option.value + "', " + said.answer.node + " has '" + value + "'";
    }
  }

  std::map<std::string, Agreed> options_;
  std::map<std::string, std::string> first_;
  bool answered_ = false;
  std::string error_;
};

}  // namespace

std::string_view WhyOfEachNode(std::string_view option) {
  const std::string name = InLowerCase(option);
  for (const OfEachNode& row : kOfEachNode) {
    if (name.starts_with(row.prefix)) return row.why;
  }
  return {};
}

void GetNodeOptions(LocalCommands& local, Session& session, const Request& place,
                    std::vector<std::string> patterns, std::set<std::string> own,
                    std::function<void(NodeOptionList, const std::string& error)> then) {
  NodesOrder order;
  for (const std::string& pattern : patterns) order.commands.push_back({"CONFIG", "GET", pattern});
  order.own_values = {std::string(kEventsOption)};
  std::map<std::string, std::string> kept;
  if (local.process().options != nullptr) {
    for (const auto& [name, value] : local.process().options->Options()) kept[name] = value;
  }
  AskNodes(&session.context(), place, order,
           [patterns = std::move(patterns), own = std::move(own), kept = std::move(kept),
            then = std::move(then)](const std::vector<NodeSaid>& all) {
             Answers answers;
             for (const NodeSaid& said : all) answers.Add(said);
             const auto named = [&](const std::string& name) {
               return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& each) {
                 return InLowerCase(each) == name;
               });
             };
             std::string error;
             for (const std::string& pattern : patterns) {
               if (error.empty() && !IsGlob(pattern)) error = answers.WhyNone();
             }
             NodeOptionList options;
             for (const auto& [name, option] : answers.options()) {
               const bool secret = std::find(std::begin(kSecretOptions), std::end(kSecretOptions),
                                             name) != std::end(kSecretOptions);
               if (secret || own.contains(name) || !option.known) continue;
               const auto set = kept.find(name);
               if (name == kEventsOption && set != kept.end()) {
                 options.emplace_back(name, CanonicalEvents(set->second));
               } else if (option.differs.empty()) {
                 options.emplace_back(name, option.value);
               } else if (named(name) && error.empty()) {
                 error = option.differs;
               }
             }
             then(std::move(options), error);
           });
}

NodeOptionChange::NodeOptionChange(KeptOptions* keep) : keep_(keep) {
  if (keep_ != nullptr) keep_->BeginChange();
}

NodeOptionChange::~NodeOptionChange() {
  Keep();
  if (keep_ != nullptr) keep_->EndChange();
}

void NodeOptionChange::Keep() {
  if (stays && keep_ != nullptr) keep_->Put(options);
  stays = false;
}

namespace {

// Reads what the nodes said: the error, if one refused. All that took it are in `undo`, and the
// options are as a node writes them.
std::string ReadChange(const std::vector<NodeSaid>& all, NodeOptionChange* change) {
  std::string error;
  bool everywhere = true;
  bool anywhere = false;
  for (const NodeSaid& said : all) {
    for (size_t i = 0; i < said.answer.replies.size() / 3; ++i) {
      const ControlReply& before = said.answer.replies[3 * i];
      const ControlReply& set = said.answer.replies[3 * i + 1];
      const NodeOptionList after = PairsOf(said.answer.replies[3 * i + 2].text);
      auto& [name, value] = change->options[i];
      if (set.ok) {
        anywhere = true;
        const NodeOptionList old = PairsOf(before.text);
        if (!old.empty()) {
          change->undo[said.answer.node].push_back({"CONFIG", "SET", name, old[0].second});
        }
        if (!after.empty()) value = after[0].second;
      } else if (set.refused && !PassesByItself(set)) {
        if (error.empty()) error = set.error;
        everywhere = everywhere && set.error == error;
      }
    }
  }
  if (error.empty() && !anywhere) return "ERR no node is connected that could be asked";
  if (!error.empty() && (anywhere || !everywhere)) {
    error += "; not all nodes take it, so nothing is changed";
  }
  return error;
}

}  // namespace

void SetNodeOptions(
    LocalCommands& local, Session& session, const Request& place, NodeOptionList options,
    std::function<void(const std::string& error, NodeOptionChangePtr change)> then) {
  NodesOrder order;
  for (const auto& [name, value] : options) {
    order.commands.push_back({"CONFIG", "GET", name});
    order.commands.push_back({"CONFIG", "SET", name, value});
    order.commands.push_back({"CONFIG", "GET", name});
  }
  auto change = std::make_shared<NodeOptionChange>(local.process().options);
  change->options = std::move(options);
  AskNodes(&session.context(), place, order,
           [context = &session.context(), &place, change = std::move(change),
            then = std::move(then)](const std::vector<NodeSaid>& all) mutable {
             const std::string error = ReadChange(all, change.get());
             if (error.empty()) {
               change->stays = true;
             } else {
               UndoNodeOptions(context, place, std::move(change));
               change = nullptr;
             }
             then(error, std::move(change));
           });
}

void UndoNodeOptions(SessionContext* context, const Request& place, NodeOptionChangePtr change) {
  change->stays = false;
  if (change->undo.empty()) return;
  NodesOrder order;
  order.of_nodes = std::move(change->undo);
  // It has not ended before all have it back.
  AskNodes(context, place, order, [change](const std::vector<NodeSaid>&) {});
}

}  // namespace gemel
