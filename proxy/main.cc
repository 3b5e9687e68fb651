// gemel's command line.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "backend/acl/acl_users.h"
#include "backend/command/command_names.h"
#include "backend/tls/openssl_tls.h"
#include "config/config_registers.h"
#include "config/config_risks.h"
#include "config/example_config.h"
#include "config/posix_config_file.h"
#include "config/posix_file_risks.h"
#include "proxy/log/log.h"
#include "proxy/reload/config_diff.h"
#include "proxy/server/exposure.h"
#include "proxy/server/posix_core_files.h"
#include "proxy/server/posix_process_setup.h"
#include "proxy/server/uv_check_hosts.h"
#include "proxy/server/uv_server.h"
#include "proxy/top/posix_top.h"
#include "proxy/upgrade/posix_hand_over_file.h"
#include "proxy/upgrade/posix_try_binary.h"

namespace {

constexpr char kDefaultConfig[] = "gemel.toml";
// For the hosts of all nodes to be resolved, where that is no condition.
constexpr uint64_t kNamesMs = 5000;

// Says what is wrong with the config; false if anything is.
// `handed`: what the binary before knew of it; null: there was none.
bool Load(const std::string& file, const gemel::HandedConfig* handed,
          std::optional<gemel::Config>* config, std::string* text) {
  gemel::ConfigError error;
  std::optional<std::string> read = gemel::ReadConfigFile(file, &error);
  // What was set stays, unless the file is another one by now.
  const bool set = read && handed != nullptr && *read == handed->file_text;
  if (set) *read = handed->text;
  if (read) {
    *text = *std::move(read);
    *config = gemel::LoadConfigText(*text, file, &error);
  }
  if (*config) {
    std::optional<gemel::ConfigError> wrong = gemel::CheckCommandNames(**config);
    if (!wrong) wrong = gemel::CheckUsers(**config);
    if (!wrong && !set) wrong = gemel::CheckSecretFile(**config);
    if (!wrong) wrong = gemel::CheckListenHosts(**config);
    if (!wrong) {
      std::string why;
      std::shared_ptr<const gemel::Tls> tls = gemel::MakeTls(**config, &why);
      if (tls != nullptr) {
        gemel::UseTls(std::move(tls));
        return true;
      }
      wrong = gemel::ConfigError{file, 0, 0, why};
    }
    error = *std::move(wrong);
  }
  std::cerr << error.ToString() << "\n";
  return false;
}

// Says what in a good file is risky.
void Warn(const gemel::Config& config, const std::string& text) {
  std::vector<std::string> lines = gemel::FileRisks(config);
  if (const std::string exposure = gemel::ExposureWarning(config.pool()); !exposure.empty()) {
    lines.push_back(gemel::ConfigError{config.file, 0, 0, "warning: " + exposure}.ToString());
  }
  for (const auto& more :
       {gemel::ConfigRisks(config, text), gemel::WarnOfNodeHosts(config, nullptr, kNamesMs)}) {
    lines.insert(lines.end(), more.begin(), more.end());
  }
  for (const std::string& line : lines) std::cerr << line << "\n";
}

// Says what would change if the text of `file`, a good one, took the place of that of `old_file`.
// Returns the exit code.
int Compare(const std::string& file, const std::string& old_file) {
  gemel::ConfigError error;
  // Hosts that the old file names may be gone by now; the new one was checked whole.
  const std::optional<gemel::Config> from = gemel::LoadConfigFile(old_file, &error);
  std::optional<gemel::Config> to;
  // Relative paths start from where the text would stand.
  if (from) {
    if (const auto text = gemel::ReadConfigFile(file, &error)) {
      to = gemel::LoadConfigText(*text, old_file, &error);
    }
  }
  if (!to) {
    std::cerr << error.ToString() << "\n";
    return 1;
  }
  const gemel::ConfigDiff diff = gemel::DiffConfigs(*from, *to);
  std::optional<gemel::RingMoves> moves;
  if (diff.ring_changed) moves = gemel::DiffRings(from->pool(), to->pool());
  std::cout << gemel::DescribeDiff(diff, moves ? &*moves : nullptr);
  return 0;
}

// `gemel top` and its options.
const CLI::App* AddTop(CLI::App* app, gemel::TopOptions* top) {
  constexpr double kLeastSeconds = 0.2;
  constexpr double kMostSeconds = 3600;
  CLI::App* command = app->add_subcommand(
      "top",
      "Show a live view of a gemel that serves; its password is taken from the environment "
      "variable GEMEL_PASSWORD");
  command->set_help_flag("-h,--help", "Print this help and exit");
  command->add_option("--host", top->host, "Where it listens")->capture_default_str();
  command->add_option("--port", top->port, "The port there")->capture_default_str();
  command->add_option("--user", top->user, "Whose password it is");
  command->add_option("--interval", top->interval_s, "Seconds between two views")
      ->check(CLI::Range(kLeastSeconds, kMostSeconds))
      ->capture_default_str();
  command->add_option("--count", top->count, "How many views; 0: until q or Ctrl-C")
      ->capture_default_str();
  if (const char* password = std::getenv("GEMEL_PASSWORD")) top->password = password;
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  gemel::OpenStandardStreams();
  gemel::Inheritance inheritance = gemel::TakeInheritance();
  CLI::App app("gemel: a Redis-protocol cache proxy that keeps two equal copies of every key");
  std::string file = kDefaultConfig;
  std::string against;
  bool test = false;
  bool take_over = false;
  bool example = false;
  bool hand_over = false;
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("-V,--version", std::string("gemel ") + GEMEL_VERSION,
                       "Print the version and exit");
  app.add_option("-c,--conf", file, "The configuration file (TOML)")->capture_default_str();
  CLI::Option* test_flag =
      app.add_flag("-t,--test-conf", test, "Check the configuration file and exit");
  app.add_option("--against", against,
                 "With -t: say also what would change if the file took the place of this one")
      ->needs(test_flag);
  app.add_flag("--example-config", example,
               "Print a configuration file with every option and its default, and exit");
  app.add_flag("--take-over", take_over,
               "End the connections that another gemel has to the same nodes, and serve in its "
               "place; without it the start is refused then");
  // What one binary asks the next (proxy/upgrade): nothing for people.
  app.add_flag("--hand-over", hand_over)->group("");
  gemel::TopOptions top;
  const CLI::App* top_command = AddTop(&app, &top);
  CLI11_PARSE(app, argc, argv);
  if (top_command->parsed()) return gemel::RunTop(top);
  if (hand_over) {
    std::cout << gemel::HandOverWords(GEMEL_VERSION) << "\n" << std::flush;
    return std::cout.good() ? 0 : 1;
  }
  if (example) {
    std::cout << gemel::ExampleConfig() << std::flush;
    return std::cout.good() ? 0 : 1;
  }

  try {
    if (!test) {
      gemel::IgnoreSignals();
      gemel::ForbidCoresUnlessAsked();
    }
    std::optional<gemel::Config> config;
    std::string text;
    if (!Load(file, inheritance.hand_over ? &inheritance.hand_over->config : nullptr, &config,
              &text)) {
      return 1;
    }
    if (test) {
      Warn(*config, text);
      const std::string registers = gemel::DescribeRegisters(*config);
      if (!registers.empty()) std::cout << file << ": " << registers << "\n";
      std::cout << file << ": ok\n";
      return against.empty() ? 0 : Compare(file, against);
    }
    std::string error;
    const gemel::LogConfig& log = config->log;
    if (!gemel::OpenLog(log, &error)) {
      std::cerr << gemel::ConfigError{file, log.line, log.column, error}.ToString() << "\n";
      return 1;
    }
    return gemel::RunServer(*config, text, GEMEL_VERSION, argv[0], take_over,
                            std::move(inheritance));
  } catch (const std::exception& failure) {
    std::cerr << "gemel cannot go on: " << failure.what() << "\n";
    return 1;
  }
}
