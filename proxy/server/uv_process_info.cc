#include "proxy/server/uv_process_info.h"

#include <unistd.h>
#include <uv.h>

#include "backend/files/posix_random_hex.h"
#include "proxy/log/log.h"
#include "proxy/server/posix_process_facts.h"
#include "proxy/server/uv_resident_bytes.h"

namespace gemel {

ProcessInfo ThisProcess(const std::string& version, const std::string& executable) {
  ProcessInfo process;
  process.version = version;
  process.executable = executable;
  process.os = SystemName();
  process.pid = static_cast<uint64_t>(::getpid());
  process.run_id = RandomHex(40);
  process.unix_time_us = UnixTimeUs;
  process.uptime_s = [started_ns = uv_hrtime()] { return (uv_hrtime() - started_ns) / 1000000000; };
  process.resident_bytes = ResidentBytes;
  process.clock_us = [] { return uv_hrtime() / 1000; };
  process.cpu_times = CpuTimesNow;
  process.lost_log_lines = LostLogLines;
  process.log_error = LogError;
  return process;
}

}  // namespace gemel
