// A name server of a test, on port 53 of a loopback address of its own, and the way to have a
// program ask it: a mount namespace with a resolv.conf that names it. Needs root.

#ifndef GEMEL_TESTS_E2E_NAME_SERVER_H_
#define GEMEL_TESTS_E2E_NAME_SERVER_H_

#include <netinet/in.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/child_process.h"
#include "tests/e2e/client.h"

namespace gemel::e2e {

class NameServer {
 public:
  NameServer();
  ~NameServer();
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  // False where there is no permission for it.
  bool good() const { return good_; }
  // What begins the command of a program that is to ask here (ProxyProcess::set_prefix).
  Words Prefix() const;

  // The addresses of a name, v4 or v6, in the order in which they are told; none: it does not
  // exist, as all names that were not set.
  void Set(const std::string& name, const std::vector<std::string>& addresses);
  // Questions are kept until it answers again: who asks hangs for minutes.
  void SetSilent(bool silent);
  // Of one name.
  void SetSilent(const std::string& name, bool silent);
  // Every question fails at once.
  void SetFailing(bool failing);

  int asked() const;  // how often for v4 addresses
  int asked(const std::string& name) const;
  int waiting() const;  // questions that are kept

 private:
  struct Query {
    std::string bytes;
    sockaddr_in from;
    std::string name;
    bool for_v4 = false;
  };
  void Work();
  bool Receive(Query* query) const;
  bool MayAnswer(const Query& query) const;
  std::string ReplyTo(const Query& query) const;

  const std::string address_;
  TempFolder folder_;
  int fd_ = -1;
  bool good_ = false;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, std::vector<std::string>> names_;
  std::map<std::string, int> asked_;
  std::map<std::string, bool> silent_names_;
  std::vector<Query> waiting_;
  bool silent_ = false;
  bool failing_ = false;
  std::thread thread_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_NAME_SERVER_H_
