// The engines against real servers keep to what any has to.

#include "backend/engines/uv_engines.h"
#include "tests/io/engine_servers.h"
#include "tests/io/engine_views.h"
#include "tests/registers_conformance.h"

namespace gemel::engines_test {
namespace {

template <typename Server>
class OneServer {
 public:
  static constexpr bool kTells = true;

  std::unique_ptr<Registers> View() { return Open(&turning_.loop_, options_); }
  bool TurnUntil(const std::function<bool()>& condition) { return turning_.RunUntil(condition); }
  void set_reachable(bool reachable) {
    if (reachable) {
      server().Start();
    } else {
      server().Kill();
    }
  }

 protected:
  virtual ~OneServer() = default;
  virtual Server& server() = 0;
  void Begin(const std::string& engine) {
    options_ = OptionsFor(engine, {server().address()});
    EXPECT_TRUE(Ready(&turning_, options_)) << server().Log();
  }

  Turning turning_;

 private:
  EngineOptions options_;
};

class EtcdHarness : public OneServer<EtcdServer> {
 public:
  EtcdHarness() : servers_(StartEtcd(1)) { Begin("etcd"); }

 private:
  EtcdServer& server() override { return *servers_.front(); }

  std::vector<std::unique_ptr<EtcdServer>> servers_;
};

class ZookeeperHarness : public OneServer<ZookeeperServer> {
 public:
  ZookeeperHarness() {
    server_.Start();
    Begin("zookeeper");
  }

 private:
  ZookeeperServer& server() override { return server_; }

  ZookeeperServer server_;
};

TEST(Engines, AnUnknownNameIsRefusedBySentence) {
  Turning turning;
  std::string error;
  EXPECT_EQ(OpenRegisters(&turning.loop_, OptionsFor("chubby", {"127.0.0.1:1"}), &error), nullptr);
  EXPECT_EQ(error, "there is no engine \"chubby\", only: " + EngineNames());
}

TEST(Engines, ServersMustBeServers) {
  Turning turning;
  std::string error;
  EXPECT_EQ(OpenRegisters(&turning.loop_, OptionsFor("etcd", {}), &error), nullptr);
  EXPECT_EQ(error, "the engine \"etcd\" needs at least one server");
  EXPECT_EQ(OpenRegisters(&turning.loop_, OptionsFor("etcd", {"http://a:1"}), &error), nullptr);
  EXPECT_NE(error.find("\"http://a:1\" is no server of the engine \"etcd\""), std::string::npos)
      << error;
}

}  // namespace
}  // namespace gemel::engines_test

namespace gemel::conformance {
using engines_test::EtcdHarness;
using engines_test::ZookeeperHarness;
INSTANTIATE_TYPED_TEST_SUITE_P(Etcd, RegistersConformance, EtcdHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(Zookeeper, RegistersConformance, ZookeeperHarness);
}  // namespace gemel::conformance
