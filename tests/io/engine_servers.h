// Real etcd and ZooKeeper servers of a test, on loopback, with their data in a folder of their own.

#ifndef GEMEL_TESTS_IO_ENGINE_SERVERS_H_
#define GEMEL_TESTS_IO_ENGINE_SERVERS_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/child_process.h"
#include "tests/e2e/free_port.h"

namespace gemel {

// One server, which keeps its ports and its data whatever happens to its process. Not ready yet
// when it was started: who asks waits.
class EngineServer {
 public:
  std::string address() const { return "127.0.0.1:" + std::to_string(port_.number()); }
  void Start() { process_.Start(command_, folder_.path() + "/log"); }
  void Kill() { process_.Kill(); }
  void Pause();
  void Resume();
  // What it said, for a test that fails.
  std::string Log() const { return e2e::ReadFile(folder_.path() + "/log"); }

 protected:
  EngineServer() = default;
  const std::string& folder() const { return folder_.path(); }

  e2e::FreePort port_;
  std::vector<std::string> command_;

 private:
  e2e::TempFolder folder_;
  e2e::ChildProcess process_;
};

// Files: what it shows, and the CA of what clients have to show.
struct EtcdTls {
  std::string cert;
  std::string key;
  std::string ca;
};

class EtcdServer : public EngineServer {
 public:
  std::string peer_url() const { return "http://127.0.0.1:" + std::to_string(peers_.number()); }
  std::string name() const { return "n" + std::to_string(peers_.number()); }
  // Of these servers, itself among them. `tls`: clients speak it; null: they do not.
  void SetCluster(const std::vector<std::unique_ptr<EtcdServer>>& all, const EtcdTls* tls);

 private:
  e2e::FreePort peers_;
};

// So many, started.
std::vector<std::unique_ptr<EtcdServer>> StartEtcd(size_t servers, const EtcdTls* tls = nullptr);

class ZookeeperServer : public EngineServer {
 public:
  // Sessions live so long at least, and at most, whatever a client asks for; 0: as it is usual.
  explicit ZookeeperServer(uint32_t session_ms = 0);
};

}  // namespace gemel

#endif  // GEMEL_TESTS_IO_ENGINE_SERVERS_H_
