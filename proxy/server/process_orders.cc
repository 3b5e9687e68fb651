#include "proxy/server/process_orders.h"

#include <algorithm>
#include <utility>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "config/config_options.h"
#include "proxy/local/config_names.h"
#include "proxy/local/local_commands.h"

namespace gemel {

namespace {

// Of what a client sent, in an answer to it.
constexpr size_t kMaxQuotedName = 100;

std::string Error(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::string reply;
  AppendError(&reply, "ERR " + text);
  return reply;
}

// One line of the reply for each line.
std::string Lines(const std::string& text) {
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
  std::string reply;
  AppendArrayHeader(&reply, static_cast<int64_t>(lines.size()));
  for (const std::string_view line : lines) AppendBulk(&reply, line);
  return reply;
}

}  // namespace

void ProcessOrders::Run(const std::vector<std::string>& words, Gone gone,
                        std::function<void(std::string)> done) {
  // The last word is who asks (see SendToProcess), not the client's.
  const bool local = words.back() == kAskedLocally;
  const std::vector<std::string> order(words.begin(), words.end() - 1);
  if (order.size() >= 2 && EqualsLower(order[1], "reload")) {
    Reload(order, std::move(gone), std::move(done));
  } else if (order.size() >= 4 && EqualsLower(order[1], "set")) {
    Set(order, local, std::move(gone), std::move(done));
  } else if (order.size() == 2 && EqualsLower(order[1], "rewrite")) {
    Rewrite(std::move(gone), std::move(done));
  } else {
    done(Error("not an order to the process"));
  }
}

void ProcessOrders::Set(const std::vector<std::string>& order, bool local, Gone gone,
                        std::function<void(std::string)> done) {
  ReloadOrder reload;
  reload.cause = "CONFIG SET";
  reload.local = local;
  reload.gone = std::move(gone);
  for (size_t i = 2; i + 1 < order.size(); i += 2) {
    const std::string name(FileOption(order[i]));
    const OptionInfo* option = FindOption(name);
    if (option == nullptr) {
      done(Error("Unknown option or number of arguments for CONFIG SET - '" +
                 order[i].substr(0, kMaxQuotedName) + "'; CONFIG GET * names them"));
      return;
    }
    std::string error;
    std::optional<std::string> value =
        TomlValue(option->kind, FileValue(order[i], order[i + 1]), &error);
    if (!value) {
      done(Error("CONFIG SET failed (possibly related to argument '" + name + "') - " + error));
      return;
    }
    reload.cause += " " + name;
    reload.sets.emplace_back(name, *std::move(value));
  }
  reloader_->Submit(std::move(reload), [done = std::move(done)](const ReloadOutcome& outcome) {
    done(outcome.ok ? "+OK\r\n" : Error("CONFIG SET failed - " + outcome.text));
  });
}

void ProcessOrders::Rewrite(Gone gone, std::function<void(std::string)> done) {
  ReloadOrder reload;
  reload.cause = "CONFIG REWRITE";
  reload.gone = std::move(gone);
  reload.rewrite = true;
  reloader_->Submit(std::move(reload), [done = std::move(done)](const ReloadOutcome& outcome) {
    done(outcome.ok ? "+OK\r\n" : Error("Rewriting config file: " + outcome.text));
  });
}

void ProcessOrders::Reload(const std::vector<std::string>& order, Gone gone,
                           std::function<void(std::string)> done) {
  ReloadOrder reload;
  reload.cause = "PROXY RELOAD";
  reload.gone = std::move(gone);
  for (size_t i = 2; i < order.size(); ++i) {
    reload.dry_run |= EqualsLower(order[i], "dryrun");
    reload.force |= EqualsLower(order[i], "force");
  }
  reloader_->Submit(std::move(reload), [done = std::move(done)](const ReloadOutcome& outcome) {
    done(outcome.ok ? Lines(outcome.text) : Error(outcome.text));
  });
}

}  // namespace gemel
