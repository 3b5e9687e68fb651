#include "proxy/server/posix_process_facts.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>

namespace gemel {

namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

std::string SystemName() {
  utsname name{};
  uname(&name);
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

CpuTimes CpuTimesNow() {
  rusage own{};
  rusage children{};
  rusage thread{};
  getrusage(RUSAGE_SELF, &own);
  getrusage(RUSAGE_CHILDREN, &children);
  getrusage(RUSAGE_THREAD, &thread);
  return {Seconds(own.ru_stime),      Seconds(own.ru_utime),    Seconds(children.ru_stime),
          Seconds(children.ru_utime), Seconds(thread.ru_stime), Seconds(thread.ru_utime)};
}

int64_t UnixTimeUs() {
  timeval now{};
  gettimeofday(&now, nullptr);
  return int64_t{now.tv_sec} * 1000000 + now.tv_usec;
}

}  // namespace gemel
