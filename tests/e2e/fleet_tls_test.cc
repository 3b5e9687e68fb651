// A fleet whose connections are with TLS: among members, to nodes, and to what they agree by.

#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/fleet_world.h"
#include "tests/e2e/look.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::fleet_tls_test {
namespace {

struct Files : TlsFiles {
  Files() {
    Make("server");
    Make("member");
  }
};

// Each shard is written through every member and read through the next one; its owner dies, and
// the others go on.
void ExpectServesThroughADeath(FleetWorld* fleet) {
  for (int shard = 0; shard < fleet->shards(); ++shard) {
    const std::string key = fleet->KeyOn(shard);
    for (int i = 0; i < fleet->members(); ++i) {
      EXPECT_EQ(fleet->Connect(i)("SET", key, std::to_string(i)), "OK");
      EXPECT_EQ(fleet->Connect((i + 1) % fleet->members())("GET", key), std::to_string(i));
    }
  }
  const int owner = fleet->WaitForOwner(0);
  fleet->member(owner).Kill();
  for (int i = 0; i < fleet->members(); ++i) {
    if (i == owner) continue;
    EXPECT_TRUE(fleet->WaitUntilServed(i)) << "member " << i;
  }
  fleet->member(owner).Restart();
  EXPECT_TRUE(fleet->WaitUntilServed(owner));
  fleet->ExpectCopiesEqual();
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(FleetTls, NodesOfShardsKeepTheRegistersByIt) {
  const Files files;
  FleetWorld fleet({.lease_ms = 2000, .on_nodes = true, .tls = &files});
  ExpectServesThroughADeath(&fleet);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(PlainClients(fleet.node(i / 2, i % 2)), 0)
        << fleet.node(i / 2, i % 2).Connect()("CLIENT", "LIST");
  }
}

TEST(FleetTls, ServersOfPaxosThatHoldNoShardDo) {
  const Files files;
  FleetWorld fleet({.lease_ms = 2000, .tls = &files});
  ExpectServesThroughADeath(&fleet);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(PlainClients(fleet.acceptor(i)), 0);
}

TEST(FleetTls, EtcdIsSpokenToByItAndShownACertificate) {
  const Files files;
  FleetWorld fleet({.lease_ms = 2000, .engine = "etcd", .tls = &files});
  ExpectServesThroughADeath(&fleet);
}

TEST(FleetTls, RaftAndPeersSpeakIt) {
  const Files files;
  FleetWorld fleet({.lease_ms = 2000, .engine = "raft", .tls = &files});
  const std::string large(3 << 20, 'x');
  for (int shard = 0; shard < 2; ++shard) {
    const std::string key = fleet.KeyOn(shard);
    EXPECT_EQ(fleet.Connect(0)("SET", key, large), "OK");
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(fleet.Connect(i)("GET", key).bytes == large);
  }
  ExpectServesThroughADeath(&fleet);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(Has(fleet.member(i).Log(), " was refused: ")) << fleet.member(i).Log();
  }
}

// Who knows the secret, but speaks plainly, or says something else: all that comes back is TLS's
// word that this is none of it, and the log has a line.
TEST(FleetTls, APlainConnectionToRaftsPortGetsNothing) {
  const Files files;
  FleetWorld fleet({.lease_ms = 3000, .engine = "raft", .tls = &files});
  const std::string voter = fleet.VoterAddress(0);
  const auto port = static_cast<uint16_t>(std::stoi(voter.substr(voter.rfind(':') + 1)));
  for (int turn = 0; turn < 3; ++turn) {
    RawSocket socket(port);
    socket.SendSome("GET / HTTP/1.1\r\nhost: somebody\r\n\r\n");
    const std::string heard = socket.ReadUntilClosed();
    EXPECT_TRUE(heard.empty() || heard.front() == '\x15') << heard;
    EXPECT_LT(heard.size(), 16U);
  }
  const std::string line = "a connection to raft's port " + voter + " was refused: 127.0.0.1:";
  EXPECT_TRUE(fleet.member(0).Logs(line));
  EXPECT_TRUE(Has(fleet.member(0).Log(), ": TLS: it does not speak TLS")) << fleet.member(0).Log();
  EXPECT_EQ(Count(fleet.member(0).Log(), line), 1U) << fleet.member(0).Log();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(fleet.WaitUntilServed(i));
}

// The fleet is there; its last member has another file, and ends with a sentence that has `part`.
void ExpectRefused(FleetWorld* fleet, const Sections& sections, const std::string& part) {
  const Finished finished = RunMember(fleet->member(2), fleet->Config(2, sections));
  EXPECT_EQ(finished.exit_code, 1) << finished.output;
  EXPECT_TRUE(Has(finished.output, part)) << finished.output;
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(fleet->WaitUntilServed(i)) << "member " << i;
}

TEST(FleetTls, AVoterThatShowsAnotherCasCertificateIsNone) {
  const Files files;
  const Files others;
  FleetWorld fleet({.started = 2, .lease_ms = 3000, .engine = "raft", .tls = &files});
  ExpectRefused(&fleet, {{"tls", others.Lines("member")}},
                "TLS: its certificate is not accepted: ");
  // One that would trust them, but is not trusted.
  ExpectRefused(&fleet,
                {{"tls", "cert = \"" + others.cert("member") + "\"\nkey = \"" +
                             others.key("member") + "\"\nca = \"" + files.ca() + "\""}},
                "[fleet]: ");
  EXPECT_TRUE(fleet.member(0).Logs("a connection to raft's port " + fleet.VoterAddress(0) +
                                   " was refused: "));
  EXPECT_TRUE(Has(fleet.member(0).Log(), "TLS: its certificate is not accepted: "))
      << fleet.member(0).Log();
}

TEST(FleetTls, AVoterWithoutItIsNone) {
  const Files files;
  FleetWorld fleet({.started = 2, .lease_ms = 3000, .engine = "raft", .tls = &files});
  ExpectRefused(&fleet,
                {{"fleet.listen", "\"127.0.0.1:" + std::to_string(fleet.peer_port(2)) + "\""}},
                "[fleet]: ");
  EXPECT_TRUE(fleet.member(0).Logs("TLS: it does not speak TLS"));
}

TEST(FleetTls, ServersOfAnotherCaAreNotSpokenTo) {
  const Files files;
  const Files others;
  for (const char* engine : {"etcd", "paxos"}) {
    SCOPED_TRACE(engine);
    FleetWorld fleet({.started = 2, .lease_ms = 3000, .engine = engine, .tls = &files});
    ExpectRefused(&fleet, {{"coordinator_tls", others.Lines("member")}}, "certificate");
  }
}

// Its certificate is good, but another host's; and that is what is asked for then.
TEST(FleetTls, EtcdsNameIsVerified) {
  Files files;
  files.Make("server", "DNS:etcd.example.org");
  FleetWorld fleet({.members = 1, .started = 0, .engine = "etcd", .tls = &files});
  Sections sections = {{"node_tls", files.Lines("member") + "\nverify = \"ca\""}};
  const Finished finished = RunMember(fleet.member(0), fleet.Config(0, sections));
  EXPECT_EQ(finished.exit_code, 1) << finished.output;
  EXPECT_TRUE(Has(finished.output, "target host name '127.0.0.1'")) << finished.output;
  sections["coordinator_tls"] = files.Lines("member") + "\nserver_name = \"etcd.example.org\"";
  fleet.StartMember(0, sections);
  EXPECT_TRUE(fleet.WaitUntilServed(0));
}

TEST(FleetTls, AReloadReadsTheFilesAgain) {
  const Files files;
  FleetWorld fleet({.lease_ms = 3000, .engine = "etcd", .tls = &files});
  const Reply bad = Reload(&fleet, 0, fleet.Config(0, {{"coordinator_tls", "ca = \"/none.pem\""}}));
  EXPECT_TRUE(Has(bad.Text(), "/none.pem cannot be used: No such file")) << bad;
  const Reply good = Reload(&fleet, 0, fleet.Config(0));
  EXPECT_FALSE(good.IsError()) << good;
  EXPECT_TRUE(fleet.WaitUntilServed(0));
}

TEST(FleetTls, WhoHasNoCertificateOfTheFleetsCaIsNoPeer) {
  const Files files;
  const Files others;
  FleetWorld fleet({.started = 0, .lease_ms = 3000, .tls = &files});
  for (int i = 0; i < 3; ++i) {
    const Sections sections = {{"tls", (i == 2 ? others : files).Lines("member")}};
    WriteFile(fleet.member(i).config_path(), fleet.Config(i, sections));
    fleet.member(i).Launch();
  }
  for (int i = 0; i < 3; ++i) fleet.member(i).WaitUntilServes();
  // What is another member's it cannot bring there, and says so, also where it is asked why.
  for (int i = 0; i < 3; ++i) {
    const Reply all = fleet.Connect(i)("PROXY", "EXPLAIN", "MGET", "a", "b", "c", "d", "e", "f");
    EXPECT_EQ(all.items.size(), 6U) << all;
    for (const Reply& key : all.items) EXPECT_FALSE(key.Field("why").bytes.empty()) << all;
  }
  EXPECT_TRUE(Eventually([&] {
    for (int shard = 0; shard < 2; ++shard) {
      const Reply reply = fleet.Connect(2)("GET", fleet.KeyOn(shard));
      if (reply.IsError()) return Has(reply.bytes, "TLS: ");
    }
    return false;
  }));
}

}  // namespace
}  // namespace gemel::e2e::fleet_tls_test
