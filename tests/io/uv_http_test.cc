// HTTP on a loop: what is known of a request whose answer does not come.

#include "backend/engines/uv_http.h"

#include <memory>
#include <optional>
#include <string>

#include "tests/io/loop_fixture.h"
#include "tests/io/raw_server.h"

namespace gemel::uv_http_test {
namespace {

class UvHttpTest : public LoopTest {
 protected:
  HttpRequest RequestOf(const std::string& body) {
    HttpRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(server_.port()) + "/path";
    request.body = body;
    request.connect_ms = 10'000;
    request.total_ms = 60'000;
    return request;
  }
  void Post(const std::string& body) {
    answer_.reset();
    http_->Post(RequestOf(body), [this](const HttpAnswer& answer) { answer_ = answer; });
  }
  // Until the server has that.
  bool Arrives(const std::string& bytes) {
    std::string all;
    return RunUntil([&] {
      server_.Accept();
      all += server_.Received();
      return all.find(bytes) != std::string::npos;
    });
  }
  bool Answered() {
    return RunUntil([&] { return answer_.has_value(); });
  }

  RawServer server_;
  std::unique_ptr<UvHttp> http_ = std::make_unique<UvHttp>(&loop_);
  std::optional<HttpAnswer> answer_;
};

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(UvHttpTest, AnAnswerComesOverAKeptConnection) {
  for (const char* body : {"{\"a\":1}", "{\"b\":2}"}) {
    Post(body);
    ASSERT_TRUE(Arrives(body));
    server_.Send(kOk);
    ASSERT_TRUE(Answered());
    EXPECT_EQ(answer_->status, 200U);
    EXPECT_EQ(answer_->body, "ok");
  }
  EXPECT_EQ(server_.Accept(), 1U);
  http_.reset();
}

TEST_F(UvHttpTest, WhatMayHaveBeenDoneIsNotSentAgain) {
  Post("{\"a\":1}");
  ASSERT_TRUE(Arrives("{\"a\":1}"));
  server_.Send(kOk);
  ASSERT_TRUE(Answered());
  // Over the kept connection, which ends without an answer.
  Post("{\"b\":2}");
  ASSERT_TRUE(Arrives("{\"b\":2}"));
  server_.CloseAll();
  bool again = false;
  ASSERT_TRUE(RunUntil([&] {
    server_.Accept();
    again = again || !server_.Received().empty();
    return answer_.has_value();
  }));
  EXPECT_EQ(answer_->status, 0U);
  EXPECT_TRUE(answer_->sent);
  EXPECT_FALSE(answer_->error.empty());
  RunFor(50);
  server_.Accept();
  EXPECT_FALSE(again || !server_.Received().empty()) << "it was sent twice";
  http_.reset();
}

TEST_F(UvHttpTest, WhatWasNotSentIsKnown) {
  const e2e::FreePort nobody;
  HttpRequest request = RequestOf("{}");
  request.url = "http://127.0.0.1:" + std::to_string(nobody.number()) + "/";
  http_->Post(request, [this](const HttpAnswer& answer) { answer_ = answer; });
  EXPECT_FALSE(answer_);
  ASSERT_TRUE(Answered());
  EXPECT_EQ(answer_->status, 0U);
  EXPECT_FALSE(answer_->sent);
  EXPECT_FALSE(answer_->error.empty());
  http_.reset();
}

TEST_F(UvHttpTest, AStreamIsGivenAsItComesAndMayDestroyAll) {
  HttpRequest request = RequestOf("{}");
  request.total_ms = 0;
  std::string got;
  request.on_bytes = [&](std::string_view bytes) {
    got += bytes;
    if (got == "onetwo") http_.reset();
  };
  http_->Post(request, [this](const HttpAnswer& answer) { answer_ = answer; });
  ASSERT_TRUE(Arrives("{}"));
  server_.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  ASSERT_TRUE(RunUntil([&] { return got == "one"; }));
  server_.Send("3\r\ntwo\r\n");
  ASSERT_TRUE(RunUntil([&] { return http_ == nullptr; }));
  RunFor(20);
  EXPECT_FALSE(answer_);
}

TEST_F(UvHttpTest, WhatIsCancelledOrLeftIsNotAnswered) {
  const uint64_t id =
      http_->Post(RequestOf("{}"), [this](const HttpAnswer& answer) { answer_ = answer; });
  ASSERT_TRUE(Arrives("{}"));
  http_->Cancel(id);
  http_->Cancel(id);
  http_->Post(RequestOf("{}"), [this](const HttpAnswer& answer) { answer_ = answer; });
  RunFor(20);
  http_.reset();
  RunFor(20);
  EXPECT_FALSE(answer_);
}

}  // namespace
}  // namespace gemel::uv_http_test
