#include "backend/uv/uv_names.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

namespace gemel {

namespace {

// A lookup that takes longer is worth a line in the log.
constexpr uint64_t kSlowMs = 2000;

constexpr char kOverdue[] = "the resolver has not answered yet";

std::string TroubleText(const std::string& host, const std::string& why) {
  return "the host name " + host + " cannot be resolved: " + why +
         "; nodes there are reached at the address that worked last, and where none did they count "
         "as nodes that do not answer; it is tried again";
}

}  // namespace

// Between a lookup's thread and the loop that asked.
struct UvNames::Question::Mail {
  // Freed when it is closed.
  struct Handle {
    uv_async_t async;
    std::shared_ptr<Mail> mail;
  };

  std::mutex mutex;          // guards the three below
  Handle* handle = nullptr;  // null once the question is gone
  bool answered = false;
  NameAnswer answer;

  std::shared_ptr<State> state;
  std::string host;
  uint64_t id = 0;
  Done done;  // of the loop's thread

  void Put(const NameAnswer& told) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (handle == nullptr) return;
    answer = told;
    answered = true;
    uv_async_send(&handle->async);
  }

  static void OnAsync(uv_async_t* async) {
    // Kept, since `done` may destroy the question.
    const std::shared_ptr<Mail> mail = static_cast<Handle*>(async->data)->mail;
    {
      const std::lock_guard<std::mutex> lock(mail->mutex);
      if (!mail->answered) return;
    }
    const Done done = std::exchange(mail->done, nullptr);
    if (done) done(mail->answer);
  }
};

struct UvNames::State {
  explicit State(LookUp how) : look_up(std::move(how)) {}

  const LookUp look_up;
  std::mutex mutex;  // guards all below
  NameTable table;
  uint64_t next_id = 1;
  std::map<uint64_t, std::shared_ptr<Question::Mail>> asking;
  std::map<uint64_t, NameAnswer> told;  // of those who block
  std::set<uint64_t> blocking;
  std::condition_variable answered;
  std::deque<std::string> queue;  // for a thread
  size_t threads = 0;
  bool stopped = false;
  std::set<std::string> noted;  // names with trouble

  std::mutex note_mutex;  // held while it runs, too
  NoteFn note;

  void Note(NoteLevel level, const std::string& text) {
    const std::lock_guard<std::mutex> lock(note_mutex);
    if (note) note(level, text);
  }
};

NameAnswer UvNames::SystemLookUp(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  NameAnswer answer;
  const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (status != 0) {
    answer.error = ::gai_strerror(status);
    return answer;
  }
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST] = "";
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof(text), nullptr, 0,
                      NI_NUMERICHOST) != 0) {
      continue;
    }
    if (std::find(answer.addresses.begin(), answer.addresses.end(), text) ==
        answer.addresses.end()) {
      answer.addresses.emplace_back(text);
    }
  }
  ::freeaddrinfo(found);
  if (answer.addresses.empty()) answer.error = "it has no address";
  return answer;
}

UvNames& UvNames::Process() {
  static UvNames names;
  return names;
}

uint64_t UvNames::NowMs() { return uv_hrtime() / 1000000; }

UvNames::UvNames(LookUp look_up) : state_(std::make_shared<State>(std::move(look_up))) {}

UvNames::~UvNames() { Stop(); }

UvNames::Question::~Question() {
  Mail::Handle* handle = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mail_->mutex);
    handle = std::exchange(mail_->handle, nullptr);
  }
  mail_->done = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mail_->state->mutex);
    mail_->state->asking.erase(mail_->id);
    mail_->state->table.Leave(mail_->host, mail_->id);
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->async), [](uv_handle_t* closed) {
    std::unique_ptr<Mail::Handle>(static_cast<Mail::Handle*>(closed->data)).reset();
  });
}

std::unique_ptr<UvNames::Question> UvNames::Ask(uv_loop_t* loop, const std::string& host,
                                                uint64_t newer_than_ms, Done done) {
  auto mail = std::make_shared<Question::Mail>();
  mail->state = state_;
  mail->host = host;
  mail->done = std::move(done);
  auto handle = std::make_unique<Question::Mail::Handle>();
  uv_async_init(loop, &handle->async, &Question::Mail::OnAsync);
  handle->async.data = handle.get();
  handle->mail = mail;
  mail->handle = handle.release();
  std::unique_ptr<Question> question(new Question(mail));
  NameAnswer answer;
  NameTable::Asked asked;
  bool slow = false;
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    const uint64_t now_ms = NowMs();
    mail->id = state_->next_id++;
    asked = state_->table.Ask(host, newer_than_ms, now_ms, mail->id, &answer);
    if (asked != NameTable::Asked::kAnswered) state_->asking[mail->id] = mail;
    slow = asked == NameTable::Asked::kWaits && state_->table.LookingMs(host, now_ms) > kSlowMs &&
           state_->noted.insert(host).second;
  }
  if (asked == NameTable::Asked::kAnswered) mail->Put(answer);
  if (asked == NameTable::Asked::kBegin) Begin(state_, host);
  if (slow) state_->Note(NoteLevel::kWarn, TroubleText(host, kOverdue));
  return question;
}

uint64_t UvNames::PatienceMs(const std::string& host) const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  if (state_->table.Failures(host) > 0) return 0;
  return kPatienceMs - std::min(kPatienceMs, state_->table.LookingMs(host, NowMs()));
}

std::vector<NameAnswer> UvNames::Resolve(const std::vector<std::string>& hosts,
                                         uint64_t patience_ms) {
  const std::shared_ptr<State> state = state_;
  std::vector<NameAnswer> answers(hosts.size());
  std::map<uint64_t, size_t> waiting;  // by id
  std::vector<std::string> to_begin;
  std::unique_lock<std::mutex> lock(state->mutex);
  const uint64_t now_ms = NowMs();
  const uint64_t newer_than_ms = now_ms - std::min(now_ms, kFreshMs);
  for (size_t i = 0; i < hosts.size(); ++i) {
    const uint64_t id = state->next_id++;
    const NameTable::Asked asked =
        state->table.Ask(hosts[i], newer_than_ms, now_ms, id, &answers[i]);
    if (asked == NameTable::Asked::kAnswered) continue;
    state->blocking.insert(id);
    waiting[id] = i;
    if (asked == NameTable::Asked::kBegin) to_begin.push_back(hosts[i]);
  }
  lock.unlock();
  for (const std::string& host : to_begin) Begin(state, host);
  lock.lock();
  const auto told = [&] {
    for (auto at = waiting.begin(); at != waiting.end();) {
      const auto answer = state->told.extract(at->first);
      if (answer.empty()) {
        ++at;
        continue;
      }
      answers[at->second] = answer.mapped();
      state->blocking.erase(at->first);
      at = waiting.erase(at);
    }
    return state->stopped || waiting.empty();
  };
  state->answered.wait_for(lock, std::chrono::milliseconds(patience_ms), told);
  for (const auto& [id, i] : waiting) {
    state->blocking.erase(id);
    state->table.Leave(hosts[i], id);
    answers[i].error = kOverdue;
  }
  return answers;
}

void UvNames::Stop() {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->stopped = true;
  state_->answered.notify_all();
}

void UvNames::set_note(NoteFn note) {
  const std::lock_guard<std::mutex> lock(state_->note_mutex);
  state_->note = std::move(note);
}

void UvNames::Begin(const std::shared_ptr<State>& state, const std::string& host) {
  {
    const std::lock_guard<std::mutex> lock(state->mutex);
    if (state->threads >= kMaxLookups) {
      state->queue.push_back(host);
      return;
    }
    ++state->threads;
  }
  try {
    std::thread([state, host] { Work(state, host); }).detach();
  } catch (const std::system_error& failure) {
    std::string next = host;
    NameAnswer answer{{}, std::string("no thread can be made for it: ") + failure.what()};
    while (End(state.get(), answer, &next)) continue;
  }
}

// A thread's: this host, and then those that wait.
void UvNames::Work(const std::shared_ptr<State>& state, std::string host) {
  while (End(state.get(), state->look_up(host), &host)) continue;
}

// Tells all who asked for *host. True if the thread is to go on with another one, the new *host.
bool UvNames::End(State* state, const NameAnswer& answer, std::string* host) {
  std::vector<std::shared_ptr<Question::Mail>> mails;
  const std::string ended = *host;
  bool trouble = false;
  bool over = false;
  bool more = false;
  {
    const std::lock_guard<std::mutex> lock(state->mutex);
    for (const uint64_t id : state->table.End(ended, NowMs(), answer)) {
      if (state->blocking.contains(id)) state->told[id] = answer;
      if (auto mail = state->asking.extract(id)) mails.push_back(mail.mapped());
    }
    state->answered.notify_all();
    trouble = answer.addresses.empty() && state->noted.insert(ended).second;
    over = !answer.addresses.empty() && state->noted.erase(ended) > 0;
    if (!state->queue.empty()) {
      *host = std::move(state->queue.front());
      state->queue.pop_front();
      more = true;
    } else {
      --state->threads;
    }
  }
  for (const std::shared_ptr<Question::Mail>& mail : mails) mail->Put(answer);
  if (trouble) state->Note(NoteLevel::kWarn, TroubleText(ended, answer.error));
  if (over) {
    state->Note(NoteLevel::kInfo,
                "the host name " + ended + " is resolved again: " + answer.addresses[0]);
  }
  return more;
}

}  // namespace gemel
