#include "tests/io/engine_servers.h"

#include <signal.h>

namespace gemel {

void EngineServer::Pause() { process_.Signal(SIGSTOP); }

void EngineServer::Resume() { process_.Signal(SIGCONT); }

void EtcdServer::SetCluster(const std::vector<std::unique_ptr<EtcdServer>>& all,
                            const EtcdTls* tls) {
  const std::string scheme = tls != nullptr ? "https://" : "http://";
  std::string cluster;
  for (const auto& server : all) {
    cluster += (cluster.empty() ? "" : ",") + server->name() + "=" + server->peer_url();
  }
  command_ = {"etcd",
              "--name=" + name(),
              "--data-dir=" + folder() + "/data",
              "--listen-client-urls=" + scheme + address(),
              "--advertise-client-urls=" + scheme + address(),
              "--listen-peer-urls=" + peer_url(),
              "--initial-advertise-peer-urls=" + peer_url(),
              "--initial-cluster=" + cluster,
              "--initial-cluster-token=" + all.front()->name(),
              "--initial-cluster-state=new"};
  if (tls == nullptr) return;
  command_.insert(command_.end(), {"--cert-file=" + tls->cert, "--key-file=" + tls->key,
                                   "--trusted-ca-file=" + tls->ca, "--client-cert-auth=true"});
}

std::vector<std::unique_ptr<EtcdServer>> StartEtcd(size_t servers, const EtcdTls* tls) {
  std::vector<std::unique_ptr<EtcdServer>> all;
  for (size_t i = 0; i < servers; ++i) all.push_back(std::make_unique<EtcdServer>());
  for (const auto& server : all) server->SetCluster(all, tls);
  for (const auto& server : all) server->Start();
  return all;
}

ZookeeperServer::ZookeeperServer(uint32_t session_ms) {
  std::string config = "tickTime=500\ndataDir=" + folder() + "/data\n" +
                       "clientPortAddress=127.0.0.1\n" + "admin.enableServer=false\n" +
                       "clientPort=" + std::to_string(port_.number()) + "\n";
  if (session_ms != 0) {
    for (const char* end : {"min", "max"}) {
      config += std::string(end) + "SessionTimeout=" + std::to_string(session_ms) + "\n";
    }
  }
  e2e::WriteFile(folder() + "/zoo.cfg", config);
  command_ = {"java",
              "-Xmx128m",
              "-XX:+UseSerialGC",
              "-XX:TieredStopAtLevel=1",
              "-Dzookeeper.forceSync=no",
              "-cp",
              "/usr/share/java/zookeeper.jar",
              "org.apache.zookeeper.server.quorum.QuorumPeerMain",
              folder() + "/zoo.cfg"};
}

}  // namespace gemel
