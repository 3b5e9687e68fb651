#include "proxy/local/node_answers.h"

#include <algorithm>
#include <utility>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

void NodeAnswers::Begin(SessionContext* context, const Request& place, Done done) {
  (new NodeAnswers(context, std::move(done)))->Send(place);
}

// By the row of a read without keys that is soon done.
void NodeAnswers::Send(const Request& place) {
  const Pool& pool = *context_->pool;
  const CommandRow* row = pool.table().FindByName("dbsize");
  const std::string frame = CommandFrame({"INFO"});
  shards_.resize(pool.shards().size());
  for (size_t i = 0; i < shards_.size(); ++i) {
    shards_[i].database = pool.config().shards[i].database;
    shards_[i].hidden = pool.config().registers_database;
    Request* request = context_->dispatcher->New();
    requests_.push_back(request);
    request->sink = this;
    request->row = row;
    request->shard = static_cast<uint16_t>(pool.shards()[i].slot);
    request->session = place.session;
    request->database = 0;
    request->reply_log2 = 13;
    request->primary_only = true;
    request->frame = frame;
    request->OwnFrame();
  }
  context_->deadlines.Add(context_->now_ms + kPatienceMs, this);
  left_ = requests_.size() + 1;  // one more, so that it is here while they are sent
  const std::vector<Request*> all = requests_;
  for (Request* request : all) context_->dispatcher->Submit(request);
  End();
}

void NodeAnswers::OnReply(Request* request, const Reply& reply) {
  if (request->submitted) context_->dispatcher->Answered(*request);
  const auto found = std::find(requests_.begin(), requests_.end(), request);
  if (!finished_ && !reply.bytes.starts_with('-')) {
    shards_[static_cast<size_t>(found - requests_.begin())].text = ReplyText(reply.bytes);
  }
  *found = nullptr;
  context_->dispatcher->Free(request);
  End();
}

void NodeAnswers::Finish() {
  if (std::exchange(finished_, true)) return;
  context_->deadlines.Remove(this);
  done_(std::move(shards_));
}

void NodeAnswers::End() {
  if (--left_ > 0) return;
  Finish();
  delete this;
}

}  // namespace gemel
