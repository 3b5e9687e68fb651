// Listening sockets: what becomes of those who have connected when one goes, and what is said when
// one cannot be.

#include "proxy/worker/uv_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/child_process.h"
#include "tests/e2e/free_port.h"
#include "tests/io/loop_fixture.h"

namespace gemel {
namespace {

Address Tcp(const std::string& host, uint16_t port) {
  Address address;
  address.host = host;
  address.port = port;
  return address;
}

class UvListenerTest : public LoopTest {
 protected:
  void Listen(const Address& address) {
    std::string error;
    std::vector<UniqueFd> sockets = BindListeners(address, 1, {}, &error);
    ASSERT_EQ(sockets.size(), 1u) << error;
    listener_ = std::make_unique<UvListener>(
        &loop_, std::move(sockets[0]), address.IsUnix(),
        [this](UniqueFd socket, bool) { accepted_.push_back(std::move(socket)); });
    ASSERT_TRUE(listener_->Start(&error)) << error;
  }
  // The system takes it, whether or not the listener has had its turn.
  UniqueFd Connect(uint16_t port) {
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    return socket;
  }

  std::unique_ptr<UvListener> listener_;
  std::vector<UniqueFd> accepted_;
};

TEST_F(UvListenerTest, WhoHasConnectedIsAcceptedBeforeTheEnd) {
  const e2e::FreePort port;
  Listen(Tcp("127.0.0.1", port.number()));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(Connect(port.number()));
  EXPECT_EQ(accepted_.size(), 0u);
  listener_->AcceptRest();
  listener_.reset();
  ASSERT_EQ(accepted_.size(), clients.size());
  for (UniqueFd& client : clients) ASSERT_EQ(::write(client.get(), "x", 1), 1);
  for (UniqueFd& socket : accepted_) {
    char byte = 0;
    ASSERT_TRUE(RunUntil([&] { return ::read(socket.get(), &byte, 1) == 1; }));
    EXPECT_EQ(byte, 'x');
    ASSERT_EQ(::write(socket.get(), "y", 1), 1);
  }
  for (UniqueFd& client : clients) {
    char byte = 0;
    EXPECT_EQ(::read(client.get(), &byte, 1), 1);
    EXPECT_EQ(byte, 'y');
  }
}

TEST_F(UvListenerTest, WhoIsInTheWayIsNamed) {
  const e2e::FreePort port;
  const Address all = Tcp("0.0.0.0", port.number());
  const Address one = Tcp("127.0.0.1", port.number());
  Listen(one);
  const auto why = [](const Address& address, const std::vector<Address>& own) {
    std::string error;
    EXPECT_TRUE(BindListeners(address, 1, own, &error).empty());
    EXPECT_TRUE(BindListeners(address, 2, own, &error).empty());
    return error;
  };
  const std::string itself = "gemel itself listens on " + one.ToString();
  const std::string another = "another process listens there";
  EXPECT_NE(why(all, {one}).find(itself), std::string::npos) << why(all, {one});
  EXPECT_NE(why(one, {one}).find(itself), std::string::npos) << why(one, {one});
  // It is not this one of ours.
  const std::vector<std::vector<Address>> others = {
      {}, {Tcp("127.0.0.1", 1)}, {Tcp("127.0.0.2", port.number())}};
  for (const std::vector<Address>& own : others) {
    EXPECT_NE(why(one, own).find(another), std::string::npos) << why(one, own);
  }
  listener_.reset();
  Listen(all);
  EXPECT_NE(why(one, {all}).find("itself listens on " + all.ToString()), std::string::npos);
}

}  // namespace
}  // namespace gemel
