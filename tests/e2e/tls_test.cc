// Listeners with TLS, beside plain ones: with OpenSSL as clients use it, and with Redis's programs.

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "tests/e2e/client_script.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/tls_client.h"
#include "tests/e2e/tls_files.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e {
namespace {

// One shard, gemel, and beside its plain port one with TLS.
class TlsListeners : public testing::TestWithParam<int> {
 protected:
  // `further`: lines of [tls].
  void Start(const std::string& further = "") {
    files_.Make("server");
    files_.Make("client");
    ClusterOptions options{.shards = 2, .copies = 2, .workers = GetParam()};
    cluster_ = std::make_unique<Cluster>(options);
    WriteFile(cluster_->proxy().config_path(), Config(further));
    const Reply reloaded = cluster_->Connect()("PROXY", "RELOAD");
    ASSERT_FALSE(reloaded.IsError()) << reloaded;
  }
  std::string Config(const std::string& further = "") const {
    std::string text = cluster_->Config();
    const std::string plain = "\"127.0.0.1:" + std::to_string(cluster_->proxy().port()) + "\"";
    text.replace(text.find(plain), plain.size(),
                 plain + ", \"tls:127.0.0.1:" + std::to_string(port_.number()) + "\"");
    return text + files_.Section("server", further);
  }
  TlsClient Connect(int version = 0) const {
    return TlsClient(port_.number(), {.ca = files_.ca(), .version = version});
  }
  // Why a client with these options is not served; empty: it is.
  std::string WhyNot(const TlsClient::Options& options) const {
    try {
      TlsClient client(port_.number(), options);
      return client("PING") == "PONG" ? "" : "no PONG";
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }
  Finished Openssl(Words words, const std::string& input = "Q\n") const {
    Words command = {"openssl",  "s_client",
                     "-connect", "127.0.0.1:" + std::to_string(port_.number()),
                     "-CAfile",  files_.ca()};
    command.insert(command.end(), words.begin(), words.end());
    return RunProgram(command, input);
  }

  TlsFiles files_;
  FreePort port_;
  std::unique_ptr<Cluster> cluster_;
};

INSTANTIATE_TEST_SUITE_P(Workers, TlsListeners, testing::Values(1, 2));

TEST_P(TlsListeners, ServeBesidePlainOnes) {
  Start();
  Client plain = cluster_->Connect();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client = Connect(version);
    EXPECT_EQ(client.version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    EXPECT_EQ(client("SET", "key", client.version()), "OK");
    EXPECT_EQ(plain("GET", "key"), client.version());
    plain("SET", "key", "plain");
    EXPECT_EQ(client("GET", "key"), "plain");
    EXPECT_EQ(client("NOSUCH"), "-ERR unknown command 'NOSUCH', with args beginning with: ");
  }
  cluster_->ExpectCopiesEqual();
}

TEST_P(TlsListeners, CarryLargeValuesAndLongPipelines) {
  Start();
  TlsClient client = Connect();
  std::string large(5 << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 997) large[i] = static_cast<char>(i % 251);
  EXPECT_EQ(client("SET", "large", large), "OK");
  EXPECT_TRUE(client("GET", "large") == large);
  EXPECT_TRUE(cluster_->Connect()("GET", "large").bytes == large);
  // Much is asked before anything is taken: what does not go at once waits in its place.
  for (int i = 0; i < 2000; ++i) {
    if (i % 400 == 0) {
      client.Append({"GET", "large"});
    } else {
      client.Append({"ECHO", std::to_string(i)});
    }
  }
  for (int i = 0; i < 2000; ++i) {
    const std::string reply = client.Read();
    ASSERT_TRUE(reply == (i % 400 == 0 ? large : std::to_string(i))) << i;
  }
}

TEST_P(TlsListeners, ManyClientsAtOnce) {
  Start();
  for (const char* pipeline : {"1", "16"}) {
    const Finished run =
        RunProgram({"redis-benchmark", "--tls", "--cacert", files_.ca(), "-h", "127.0.0.1", "-p",
                    std::to_string(port_.number()), "-n", "20000", "-c", "30", "-P", pipeline, "-r",
                    "1000", "-t", "set,get,lpush,lrange_100", "-q"});
    EXPECT_EQ(run.exit_code, 0) << run.output;
    EXPECT_EQ(run.output.find("rror"), std::string::npos) << run.output;
  }
  cluster_->ExpectCopiesEqual();
}

TEST_P(TlsListeners, OldVersionsAreRefused) {
  Start("min_version = \"1.3\"");
  EXPECT_EQ(WhyNot({.ca = files_.ca(), .version = TLS1_3_VERSION}), "");
  EXPECT_EQ(WhyNot({.ca = files_.ca(), .version = TLS1_2_VERSION}),
            "TLS: tlsv1 alert protocol version");
  const Finished run = Openssl({"-tls1_3"});
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_NE(run.output.find("Verify return code: 0 (ok)"), std::string::npos) << run.output;
}

TEST_P(TlsListeners, ClientsShowCertificatesWhereTheyHaveTo) {
  Start("ca = \"" + files_.ca() + "\"\nclient_certs = \"required\"");
  TlsFiles others;
  others.Make("client");
  EXPECT_EQ(WhyNot({.ca = files_.ca(), .cert = files_.cert("client"), .key = files_.key("client")}),
            "");
  EXPECT_NE(WhyNot({.ca = files_.ca()}), "");
  EXPECT_NE(WhyNot({.ca = files_.ca(), .cert = others.cert("client"), .key = others.key("client")}),
            "");
  EXPECT_TRUE(cluster_->proxy().Logs("TLS: peer did not return a certificate"));
  EXPECT_EQ(cluster_->Figure("tls_failures"), 2);
}

TEST_P(TlsListeners, WhoDoesNotSpeakItIsClosed) {
  Start();
  RawSocket socket(port_.number());
  socket.Send("*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(socket.ReadUntilClosed().find("PONG"), std::string::npos);
  EXPECT_TRUE(cluster_->proxy().Logs("TLS: it does not speak TLS"));
  EXPECT_EQ(cluster_->Figure("tls_failures"), 1);
  // One who says nothing is not waited for for ever.
  RawSocket silent(port_.number());
  EXPECT_EQ(silent.ReadUntilClosed(), "");
  EXPECT_TRUE(cluster_->proxy().Logs("TLS: it has not shaken hands in time"));
}

TEST_P(TlsListeners, TakeUpSessionsAgainAlsoAfterAReload) {
  Start();
  TlsClient first = Connect();
  EXPECT_FALSE(first.resumed());
  EXPECT_EQ(first("PING"), "PONG");
  SSL_SESSION* const session = first.session();
  TlsClient second(port_.number(), {.ca = files_.ca(), .resumes = session});
  EXPECT_EQ(second("PING"), "PONG");
  EXPECT_TRUE(second.resumed());
  ASSERT_FALSE(cluster_->Connect()("PROXY", "RELOAD").IsError());
  TlsClient third(port_.number(), {.ca = files_.ca(), .resumes = session});
  EXPECT_EQ(third("PING"), "PONG");
  EXPECT_TRUE(third.resumed());
  SSL_SESSION_free(session);
}

TEST_P(TlsListeners, CertificatesChangeWhileClientsStay) {
  Start();
  TlsClient before = Connect();
  const std::string serial = before.serial();
  files_.Make("server");
  const Reply reloaded = cluster_->Connect()("PROXY", "RELOAD");
  EXPECT_FALSE(reloaded.IsError()) << reloaded;
  TlsClient after = Connect();
  EXPECT_NE(after.serial(), serial);
  EXPECT_EQ(before("SET", "key", "1"), "OK");
  EXPECT_EQ(after("GET", "key"), "1");
  // One that is no good changes nothing, and is told of.
  WriteFile(files_.cert("server"), "nothing");
  const std::string refused = cluster_->Connect()("PROXY", "RELOAD").Text();
  EXPECT_NE(refused.find("the certificate in " + files_.cert("server") + " cannot be used: "),
            std::string::npos)
      << refused;
  EXPECT_EQ(Connect().serial(), after.serial());
  EXPECT_EQ(before("GET", "key"), "1");
  const Finished check = RunProgram({GemelBinary(), "-t", "-c", cluster_->proxy().config_path()});
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_NE(check.output.find("the certificate in " + files_.cert("server")), std::string::npos)
      << check.output;
}

TEST_P(TlsListeners, RefusalsReachWhoSpeaksIt) {
  Start();
  ASSERT_EQ(cluster_->Connect()("CONFIG", "SET", "maxclients", "1"), "OK");
  TlsClient only = Connect();
  EXPECT_EQ(Connect().Read(), "-ERR max number of clients reached");
}

TEST_P(TlsListeners, EndInOrder) {
  Start();
  TlsClient client = Connect();
  EXPECT_EQ(client("SET", "key", "1"), "OK");
  EXPECT_EQ(client("QUIT"), "OK");
  EXPECT_THROW(client.Read(), std::runtime_error);
  // Subscribers hear nothing but are there: the end does not wait for them.
  TlsClient subscriber = Connect();
  EXPECT_EQ(subscriber("SUBSCRIBE", "news"), "[3]");
  cluster_->Connect()("PUBLISH", "news", "one");
  EXPECT_EQ(subscriber.Read(), "[3]");
  EXPECT_EQ(cluster_->proxy().Stop(), 0);
}

TEST_P(TlsListeners, ClientLibrariesWorkAsTheyAre) {
  Start("ca = \"" + files_.ca() + "\"\nclient_certs = \"optional\"");
  const std::string port = std::to_string(port_.number());
  for (const Words& certificate : {Words{}, Words{files_.cert("client"), files_.key("client")}}) {
    Words command = {"/usr/bin/python3", ClientScript("tls_redis_py.py"), port, files_.ca()};
    command.insert(command.end(), certificate.begin(), certificate.end());
    const Finished python = RunProgram(command);
    EXPECT_EQ(python.output, "ok\n");
    cluster_->Connect()("FLUSHALL");
  }
  UseModule("ioredis");
  const Finished node = RunProgram({"node", ClientScript("tls_ioredis.js"), port, files_.ca()});
  EXPECT_EQ(node.output, "ok\n");
  cluster_->ExpectCopiesEqual();
}

TEST(Tls, AConfigThatListensWithItNeedsACertificate) {
  TempFolder folder;
  const std::string file = folder.path() + "/gemel.toml";
  const std::string shard = "[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:7101\"\n";
  WriteFile(file, "[proxy]\nlisten = [\"tls:127.0.0.1:6390\"]\n" + shard);
  Finished check = RunProgram({GemelBinary(), "-t", "-c", file});
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_EQ(check.output, file +
                              ":2:11: listens with TLS on tls:127.0.0.1:6390 and has nothing to "
                              "show there, expected cert and key in [tls]\n");
  WriteFile(file, "[proxy]\nlisten = [\"127.0.0.1:6390\", \"tls:127.0.0.1:6390\"]\n" + shard);
  check = RunProgram({GemelBinary(), "-t", "-c", file});
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_NE(check.output.find("is given twice"), std::string::npos) << check.output;
}

}  // namespace
}  // namespace gemel::e2e
