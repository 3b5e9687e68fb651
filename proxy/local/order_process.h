// Orders to the process, which worker 0 carries out.

#ifndef GEMEL_PROXY_LOCAL_ORDER_PROCESS_H_
#define GEMEL_PROXY_LOCAL_ORDER_PROCESS_H_

#include <functional>
#include <string>

#include "proxy/local/local_commands.h"
#include "proxy/reload/reload_order.h"

namespace gemel {

// Of an order, which waits for others: none of a client's choice of size. False, and the client
// has been answered.
bool FitsAnOrder(Session& session, LocalArgs args);

// An error reply of one line.
std::string OrderError(std::string text);

// Answers `place` with what `reply` makes of the outcome, once the order is carried out. It is
// dropped if its client has left before its turn. A client has one order at a time: it awaits
// `place`.
void OrderProcess(Session& session, Request* place, ReloadOrder order,
                  std::function<std::string(const ReloadOutcome&)> reply);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_ORDER_PROCESS_H_
