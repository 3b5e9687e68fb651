// What an operator asks of a simulated proxy, and the answers.

#ifndef GEMEL_TESTS_SIM_SIM_ORDERS_H_
#define GEMEL_TESTS_SIM_SIM_ORDERS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gemel::sim {

class Node;
class SimProxy;
class SimShard;

class SimOrders {
 public:
  explicit SimOrders(SimProxy* proxy);
  ~SimOrders();

  // To the shard of that node (see ShardControl). `done`: whether it was carried out; not called if
  // the proxy crashes first.
  void Order(SimShard* shard, const std::string& verb, const Node* node,
             std::function<void(bool ok)> done);
  // As PROXY AUDIT.
  void StartAudit(SimShard* shard);

 private:
  struct Asked;
  struct Audit;

  SimProxy* proxy_;
  std::vector<std::unique_ptr<Asked>> asked_;
  std::vector<std::unique_ptr<Audit>> audits_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_ORDERS_H_
