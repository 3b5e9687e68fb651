// Nodes as a model, as far as Resync and the link's handshake ask for them.

#ifndef GEMEL_TESTS_UNIT_RESYNC_MODEL_H_
#define GEMEL_TESTS_UNIT_RESYNC_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backend/resp/resp_writer.h"
#include "backend/resync/resync.h"

namespace gemel::resync_test {

using Words = std::vector<std::string>;

inline std::string Join(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// A node as a replica.
struct ModelReplica {
  bool on = false;  // it is one
  std::string host;
  std::string host_port;
  bool read_only = true;
  bool reaches = true;        // its master
  int sync_polls = 0;         // INFO replies until the copying is done
  bool gets_nothing = false;  // of it: it says that it copies, and does not
  bool goes_round = false;    // the copying begins again when it is done
  int64_t sync_read = 0;
  int64_t sync_total = 0;
  bool loading = false;
  int64_t lag = 0;
  int64_t catches_up = 1 << 30;  // bytes per INFO reply
};

struct ModelNode {
  std::string address;
  std::string run_id;
  bool alive = true;
  bool answers_writes = true;
  bool odd = false;  // answers writes otherwise than others
  int64_t keys = 1;
  int64_t offset = 1 << 30;
  std::string replid;
  std::string replid2 = "0000";
  int64_t second_offset = -1;
  int64_t input = 1000;           // total_net_repl_input_bytes
  std::string refuses_replicaof;  // the error
  std::string refuses_info;       // the same
  std::string version = "7.0.15";
  std::string port = "7000";  // as CONFIG GET port says it
  // CONFIG GET repl-diskless-sync*; empty: it knows none of that.
  std::string diskless;
  int64_t full_syncs = 0;     // that it gave
  bool waits_bgsave = false;  // its replica waits for a snapshot
  ModelReplica as_replica;
};

// The nodes, and what they say.
struct ModelNodes {
  std::vector<ModelNode> nodes;
  std::vector<size_t> written = std::vector<size_t>(8);  // SETs that reached each node
  std::string refuses_scan;                              // the error
  int64_t saved_keys = 0;                                // of 200, by any node's snapshot
  int start_sync_polls = 3;
  int64_t start_lag = 0;
  uint32_t master_index = 0;  // whom a replica really copies from

  // To a command of a link.
  std::string LinkReply(uint32_t copy, const Words& words) {
    const ModelNode& node = nodes[copy];
    if (words[0] == "PING") return "+PONG\r\n";
    if (words[0] == "DBSIZE") return ":" + std::to_string(node.keys) + "\r\n";
    if (words[0] == "ROLE") {
      return node.as_replica.on ? "*1\r\n$5\r\nslave\r\n" : "*1\r\n$6\r\nmaster\r\n";
    }
    if (words[0] == "INFO" && !node.refuses_info.empty()) {
      return "-" + node.refuses_info + "\r\n";
    }
    if (words[0] == "INFO") {
      std::string reply;
      AppendBulk(&reply, Server(node) + Replication(&nodes[copy], /*polled=*/false));
      return reply;
    }
    if (words[0] == "CLIENT") return ":1\r\n";
    if (words[0] == "AUTH") return "+OK\r\n";
    if (words[0] == "SCAN") {
      if (!refuses_scan.empty()) return "-" + refuses_scan + "\r\n";
      return "*2\r\n$1\r\n0\r\n*0\r\n";  // its keys are of no interest here
    }
    if (words[0] != "SET") return "-ERR not in this model\r\n";
    ++written[copy];
    return node.odd ? ":1\r\n" : "+OK\r\n";
  }

  // To a control command.
  ControlReply Answer(uint32_t copy, const Words& args) {
    ModelNode& node = nodes[copy];
    if (!node.alive) return {false, false, "Connection refused", ""};
    const std::string command = Join(args);
    if (command == "DBSIZE") return Said(std::to_string(node.keys));
    if (args[0] == "INFO" && !node.refuses_info.empty()) {
      return {false, true, node.refuses_info, ""};
    }
    if (command == "CONFIG GET repl-diskless-sync*") return Said(node.diskless);
    if (command == "CONFIG GET port") return Said("port\n" + node.port);
    if (args[0] == "REPLICAOF" && !node.refuses_replicaof.empty()) {
      return {false, true, node.refuses_replicaof, ""};
    }
    if (command == "REPLICAOF NO ONE") {
      if (node.as_replica.on) {
        node.replid2 = node.as_replica.sync_polls > 0 ? node.replid : nodes[master_index].replid;
        node.second_offset = nodes[master_index].offset - node.as_replica.lag + 1;
        node.replid += "+";
      }
      node.as_replica.on = false;
    } else if (args[0] == "REPLICAOF") {
      if (!node.as_replica.on || node.as_replica.host != args[1] ||
          node.as_replica.host_port != args[2]) {
        node.as_replica.on = true;
        node.as_replica.host = args[1];
        node.as_replica.host_port = args[2];
        node.as_replica.lag = start_lag;
        node.as_replica.sync_polls = start_sync_polls;
        node.input += 5000;
        ++nodes[master_index].full_syncs;
      }
    } else if (command == "INFO replication") {
      return Said(Replication(&node, /*polled=*/true));
    } else if (command == "INFO") {
      return Said(Server(node) + Replication(&node, /*polled=*/true) +
                  "# Stats\r\nsync_full:" + std::to_string(node.full_syncs) +
                  "\r\ntotal_net_repl_input_bytes:" + std::to_string(node.input) +
                  "\r\n# Persistence\r\nloading:0\r\ncurrent_save_keys_processed:" +
                  std::to_string(saved_keys) + "\r\ncurrent_save_keys_total:200\r\n");
    }
    return Said("OK");
  }

 private:
  static ControlReply Said(std::string text) { return {true, false, "", std::move(text)}; }

  bool GivesCopy() const {
    return std::any_of(nodes.begin(), nodes.end(), [](const ModelNode& node) {
      return node.as_replica.on && node.as_replica.reaches && node.as_replica.sync_polls > 0 &&
             !node.as_replica.gets_nothing;
    });
  }

  static std::string Server(const ModelNode& node) {
    return "# Server\r\nredis_version:" + node.version + "\r\nrun_id:" + node.run_id + "\r\n";
  }

  std::string Replication(ModelNode* node, bool polled) {
    const std::string second = "master_replid2:" + node->replid2 +
                               "\r\nsecond_repl_offset:" + std::to_string(node->second_offset) +
                               "\r\n";
    if (!node->as_replica.on) {
      return "# Replication\r\nrole:master\r\nmaster_replid:" + node->replid +
             "\r\nmaster_repl_offset:" + std::to_string(node->offset) + "\r\n" + second +
             (node->waits_bgsave || GivesCopy()
                  ? "slave0:ip=10.0.0.2,port=7000,state=wait_bgsave,offset=0\r\n"
                  : "");
    }
    const ModelNode& master = nodes[master_index];
    std::string text = "# Replication\r\nrole:slave\r\nmaster_host:" + node->as_replica.host +
                       "\r\nmaster_port:" + node->as_replica.host_port +
                       "\r\nslave_read_only:" + (node->as_replica.read_only ? "1" : "0") + "\r\n";
    if (!node->as_replica.reaches) {
      return text + "master_link_status:down\r\nmaster_sync_in_progress:0\r\n" +
             "slave_repl_offset:0\r\nmaster_replid:" + node->replid + "\r\n";
    }
    if (polled && node->as_replica.goes_round && node->as_replica.sync_polls == 1) {
      node->as_replica.sync_polls = start_sync_polls;
      ++nodes[master_index].full_syncs;
    }
    if (node->as_replica.sync_polls > 0) {
      if (polled) --node->as_replica.sync_polls;
      return text + "master_link_status:down\r\nmaster_sync_in_progress:1\r\n" +
             "master_sync_read_bytes:" + std::to_string(node->as_replica.sync_read) +
             "\r\nmaster_sync_total_bytes:" + std::to_string(node->as_replica.sync_total) +
             "\r\nslave_repl_offset:0\r\nmaster_replid:" + node->replid + "\r\n";
    }
    node->keys = master.keys;
    ModelReplica& replica = node->as_replica;
    if (polled) replica.lag = std::max<int64_t>(0, replica.lag - replica.catches_up);
    const int64_t offset = master.offset - node->as_replica.lag;
    return text + "master_link_status:up\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:" +
           std::to_string(offset) + "\r\nmaster_replid:" + master.replid +
           "\r\nmaster_repl_offset:" + std::to_string(offset) + "\r\n";
  }
};

}  // namespace gemel::resync_test

#endif  // GEMEL_TESTS_UNIT_RESYNC_MODEL_H_
