// TLS in memory: what one channel has to send is given to the other.

#include "backend/tls/openssl_channel.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/e2e/tls_files.h"

namespace gemel::openssl_channel_test {
namespace {

using State = OpensslChannel::State;
using e2e::TlsFiles;

TlsFiles& Files() {
  static TlsFiles files;
  static const bool made = [] {
    files.Make("server");
    files.Make("client");
    files.Make("elsewhere", "DNS:elsewhere.example.org");
    files.Make("locked", "DNS:localhost", "open sesame");
    return true;
  }();
  EXPECT_TRUE(made);
  return files;
}

TlsConfig Shown(const std::string& name) {
  TlsConfig config;
  config.cert = Files().cert(name);
  config.key = Files().key(name);
  return config;
}

NodeTlsConfig Trusting() {
  NodeTlsConfig config;
  config.ca = Files().ca();
  return config;
}

std::shared_ptr<OpensslContext> Serve(const TlsConfig& config,
                                      const OpensslContext* before = nullptr) {
  std::string error;
  auto context = OpensslContext::ForClients(config, before, &error);
  EXPECT_NE(context, nullptr) << error;
  return context;
}

std::shared_ptr<OpensslContext> Dial(const NodeTlsConfig& config) {
  std::string error;
  auto context = OpensslContext::ForNodes(config, &error);
  EXPECT_NE(context, nullptr) << error;
  return context;
}

// Two ends and what they have heard.
struct Pair {
  explicit Pair(std::shared_ptr<const OpensslContext> server_context,
                std::shared_ptr<const OpensslContext> client_context,
                const std::string& host = "localhost")
      : server(OpensslChannel::Make(std::move(server_context))),
        client(OpensslChannel::Make(std::move(client_context), host)) {
    client->Begin();
  }
  // Carries bytes until neither has any, `step` at a time.
  void Talk(size_t step = ~size_t{0}) {
    while (!server->wire().empty() || !client->wire().empty()) {
      Carry(client.get(), server.get(), &at_server, step);
      Carry(server.get(), client.get(), &at_client, step);
    }
  }
  static void Carry(OpensslChannel* from, OpensslChannel* to, ByteBuffer* heard, size_t step) {
    while (!from->wire().empty()) {
      const std::string bytes(from->wire().substr(0, step));
      from->OnSent(bytes.size());
      to->OnBytes(bytes, heard);
    }
  }

  std::unique_ptr<OpensslChannel> server;
  std::unique_ptr<OpensslChannel> client;
  ByteBuffer at_server;
  ByteBuffer at_client;
};

TEST(OpensslChannel, BothWaysWhateverPiecesTheWireMakes) {
  for (const size_t step : {size_t{1}, size_t{7}, size_t{4096}, ~size_t{0}}) {
    Pair pair(Serve(Shown("server")), Dial(Trusting()));
    pair.Talk(step);
    ASSERT_EQ(pair.server->state(), State::kOpen) << pair.server->error();
    ASSERT_EQ(pair.client->state(), State::kOpen) << pair.client->error();
    const std::string large(100000, 'x');
    EXPECT_EQ(pair.client->Seal("*1\r\n$4\r\nPING\r\n"), 14U);
    EXPECT_EQ(pair.server->Seal(large), large.size());
    pair.Talk(step);
    EXPECT_EQ(pair.at_server.view(), "*1\r\n$4\r\nPING\r\n");
    EXPECT_EQ(pair.at_client.view(), large);
  }
}

TEST(OpensslChannel, TheFrontOfAQueueOfManyPiecesIsSealed) {
  Pair pair(Serve(Shown("server")), Dial(Trusting()));
  pair.Talk();
  ChunkPool chunks;
  OutQueue out(&chunks);
  std::string said;
  for (int i = 0; i < 3000; ++i) {
    const std::string part = std::to_string(i) + (i % 100 == 0 ? std::string(40000, 'a') : ",");
    out.Append(part);
    said += part;
  }
  std::string heard;
  while (!out.empty()) {
    const size_t sealed = pair.server->Seal(out, 50000);
    ASSERT_GT(sealed, 0U);
    ASSERT_LE(sealed, 50000U);
    out.Consume(sealed);
    pair.Talk();
    heard += pair.at_client.view();
    pair.at_client.Clear();
  }
  EXPECT_EQ(heard, said);
}

TEST(OpensslChannel, NothingIsSaidBeforeTheHandshake) {
  Pair pair(Serve(Shown("server")), Dial(Trusting()));
  EXPECT_EQ(pair.server->Seal("secret"), 0U);
  EXPECT_EQ(pair.client->Seal("secret"), 0U);
  EXPECT_EQ(pair.client->wire().find("secret"), std::string_view::npos);
}

TEST(OpensslChannel, WhoDoesNotSpeakTlsIsToldApart) {
  for (const char* said : {"*1\r\n$4\r\nPING\r\n", "PING\r\n", "GET / HTTP/1.1\r\n\r\n"}) {
    auto server = OpensslChannel::Make(Serve(Shown("server")));
    ByteBuffer heard;
    EXPECT_EQ(server->OnBytes(said, &heard), State::kFailed);
    EXPECT_EQ(server->error(), "it does not speak TLS") << said;
    EXPECT_TRUE(heard.empty());
    EXPECT_EQ(server->OnBytes("more", &heard), State::kFailed);
  }
  auto client = OpensslChannel::Make(Dial(Trusting()), "localhost");
  client->Begin();
  ByteBuffer heard;
  EXPECT_EQ(client->OnBytes("-ERR unknown command\r\n", &heard), State::kFailed);
  EXPECT_EQ(client->error(), "it does not speak TLS");
}

// What a client that is called `host` says of the server's certificate.
std::string WhyNot(const std::string& shown, NodeTlsConfig config, const std::string& host) {
  Pair pair(Serve(Shown(shown)), Dial(config), host);
  pair.Talk();
  return pair.client->state() == State::kOpen ? "" : pair.client->error();
}

TEST(OpensslChannel, ACertificateHasToBeOfAKnownCaAndOfTheServer) {
  TlsFiles others;
  EXPECT_EQ(WhyNot("server", Trusting(), "localhost"), "");
  EXPECT_EQ(WhyNot("server", Trusting(), "127.0.0.1"), "");
  EXPECT_EQ(WhyNot("server", Trusting(), "127.0.0.2"),
            "its certificate is not accepted: IP address mismatch");
  EXPECT_EQ(WhyNot("elsewhere", Trusting(), "localhost"),
            "its certificate is not accepted: hostname mismatch");
  NodeTlsConfig config = Trusting();
  config.server_name = "elsewhere.example.org";
  EXPECT_EQ(WhyNot("elsewhere", config, "localhost"), "");
  config = Trusting();
  config.verify = TlsVerify::kCa;
  EXPECT_EQ(WhyNot("elsewhere", config, "localhost"), "");
  config.ca = others.ca();
  EXPECT_NE(WhyNot("server", config, "localhost").find("its certificate is not accepted: "),
            std::string::npos);
  config.verify = TlsVerify::kNone;
  EXPECT_EQ(WhyNot("server", config, "localhost"), "");
  config = {};  // those of the system
  EXPECT_NE(WhyNot("server", config, "localhost").find("its certificate is not accepted: "),
            std::string::npos);
}

TEST(OpensslChannel, TheCertificateThatIsAskedForByNameIsShown) {
  TlsConfig config = Shown("server");
  config.others = {{Files().cert("elsewhere"), Files().key("elsewhere"), ""}};
  const auto serves = Serve(config);
  for (const char* host : {"localhost", "elsewhere.example.org", "127.0.0.1"}) {
    Pair pair(serves, Dial(Trusting()), host);
    pair.Talk();
    EXPECT_EQ(pair.client->state(), State::kOpen) << host << ": " << pair.client->error();
  }
  EXPECT_EQ(WhyNot("elsewhere", Trusting(), "localhost"),
            "its certificate is not accepted: hostname mismatch");
}

// What a server that asks for certificates says of who shows `name`; "": nothing.
std::string WhyNoClient(ClientCerts wanted, const std::string& name, const std::string& ca) {
  TlsConfig config = Shown("server");
  config.client_certs = wanted;
  config.ca = ca;
  NodeTlsConfig client = Trusting();
  if (!name.empty()) {
    client.cert = Files().cert(name);
    client.key = Files().key(name);
  }
  Pair pair(Serve(config), Dial(client));
  pair.Talk();
  return pair.server->state() == State::kOpen ? "" : pair.server->error();
}

TEST(OpensslChannel, ClientsShowCertificatesWhereTheyHaveTo) {
  TlsFiles others;
  EXPECT_EQ(WhyNoClient(ClientCerts::kRequired, "client", Files().ca()), "");
  EXPECT_EQ(WhyNoClient(ClientCerts::kRequired, "", Files().ca()),
            "peer did not return a certificate");
  EXPECT_NE(WhyNoClient(ClientCerts::kRequired, "client", others.ca()), "");
  EXPECT_EQ(WhyNoClient(ClientCerts::kOptional, "", Files().ca()), "");
  EXPECT_EQ(WhyNoClient(ClientCerts::kOptional, "client", Files().ca()), "");
  EXPECT_NE(WhyNoClient(ClientCerts::kOptional, "client", others.ca()), "");
  EXPECT_EQ(WhyNoClient(ClientCerts::kNo, "client", ""), "");
}

TEST(OpensslChannel, VersionsAndCiphersAreThoseThatBothHave) {
  TlsConfig server = Shown("server");
  NodeTlsConfig client = Trusting();
  client.choices.max_version = TlsVersion::k12;
  client.choices.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
  Pair old(Serve(server), Dial(client));
  old.Talk();
  EXPECT_EQ(old.server->version(), "TLSv1.2");
  EXPECT_EQ(old.client->cipher(), "ECDHE-ECDSA-AES256-GCM-SHA384");
  client = Trusting();
  client.choices.ciphersuites = "TLS_CHACHA20_POLY1305_SHA256";
  Pair recent(Serve(server), Dial(client));
  recent.Talk();
  EXPECT_EQ(recent.server->version(), "TLSv1.3");
  EXPECT_EQ(recent.client->cipher(), "TLS_CHACHA20_POLY1305_SHA256");
  server.choices.min_version = TlsVersion::k13;
  client.choices.max_version = TlsVersion::k12;
  Pair none(Serve(server), Dial(client));
  none.Talk();
  EXPECT_EQ(none.server->state(), State::kFailed);
  EXPECT_EQ(none.server->error(), "unsupported protocol");
  EXPECT_EQ(none.client->state(), State::kFailed);
}

TEST(OpensslChannel, SessionsAreTakenUpAgainAlsoAfterAReload) {
  for (const TlsVersion version : {TlsVersion::k12, TlsVersion::k13}) {
    NodeTlsConfig client = Trusting();
    client.choices.max_version = version;
    const auto dials = Dial(client);
    const auto serves = Serve(Shown("server"));
    Pair first(serves, dials);
    first.Talk();
    EXPECT_FALSE(first.client->resumed());
    const auto reloaded = Serve(Shown("server"), serves.get());
    Pair second(reloaded, dials);
    second.Talk();
    EXPECT_TRUE(second.client->resumed());
    EXPECT_TRUE(second.server->resumed());
    Pair other(reloaded, dials, "127.0.0.1");
    other.Talk();
    EXPECT_FALSE(other.client->resumed()) << "another host";
    TlsConfig never = Shown("server");
    never.resume_s = 0;
    Pair third(Serve(never, serves.get()), dials);
    third.Talk();
    EXPECT_EQ(third.client->state(), State::kOpen);
    EXPECT_FALSE(third.client->resumed());
  }
}

TEST(OpensslChannel, AGoodbyeIsTheEndOfWhatOneSideSays) {
  Pair pair(Serve(Shown("server")), Dial(Trusting()));
  pair.Talk();
  pair.client->Seal("last");
  pair.client->SayGoodbye();
  pair.Talk();
  EXPECT_EQ(pair.at_server.view(), "last");
  EXPECT_EQ(pair.server->state(), State::kEnded);
  EXPECT_EQ(pair.server->Seal("its answer"), 10U);
}

TEST(OpensslChannel, WhatIsChangedOnTheWayIsNotRead) {
  Pair pair(Serve(Shown("server")), Dial(Trusting()));
  pair.Talk();
  pair.client->Seal("SET a 1");
  std::string bytes(pair.client->wire());
  bytes[bytes.size() - 1] ^= 1;
  EXPECT_EQ(pair.server->OnBytes(bytes, &pair.at_server), State::kFailed);
  EXPECT_TRUE(pair.at_server.empty());
}

std::string WhyUnusable(const TlsConfig& config) {
  std::string error;
  EXPECT_EQ(OpensslContext::ForClients(config, nullptr, &error), nullptr);
  return error;
}

TEST(OpensslContext, SaysWhichFileIsWrongAndHow) {
  TlsConfig config = Shown("server");
  config.cert = "/nowhere/cert.pem";
  EXPECT_EQ(WhyUnusable(config),
            "the certificate in /nowhere/cert.pem cannot be used: No such file or directory");
  config = Shown("server");
  config.key = Files().key("client");
  EXPECT_EQ(WhyUnusable(config), "the key in " + Files().key("client") +
                                     " is not the one of the certificate in " +
                                     Files().cert("server"));
  config = Shown("server");
  config.cert = Files().key("server");
  EXPECT_NE(
      WhyUnusable(config).find("the certificate in " + Files().key("server") + " cannot be used: "),
      std::string::npos);
  config = Shown("locked");
  EXPECT_NE(WhyUnusable(config).find("the key in " + Files().key("locked") + " cannot be used: "),
            std::string::npos);
  config.key_password = "open sesame";
  Serve(config);
  config = Shown("server");
  config.choices.ciphers = "NO-SUCH";
  EXPECT_NE(WhyUnusable(config).find("the ciphers \"NO-SUCH\" cannot be used: "),
            std::string::npos);
  config = Shown("server");
  config.client_certs = ClientCerts::kRequired;
  config.ca = "/nowhere/ca.pem";
  EXPECT_EQ(WhyUnusable(config),
            "the CA's certificate in /nowhere/ca.pem cannot be used: No such file or directory");
}

}  // namespace
}  // namespace gemel::openssl_channel_test
