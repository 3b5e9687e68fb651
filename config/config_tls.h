// [tls], [node_tls] and [coordinator_tls] of the config file. Private to config.

#ifndef GEMEL_CONFIG_CONFIG_TLS_H_
#define GEMEL_CONFIG_CONFIG_TLS_H_

#include "config/config.h"
#include "config/config_table.h"

namespace gemel {

// The sections, over their defaults. Paths are left as the file says them.
void ReadTls(TableReader table, TlsConfig* tls);
void ReadTlsCert(TableReader table, TlsCert* cert);
// Either of the two others.
void ReadNodeTls(TableReader table, NodeTlsConfig* tls);

// Adds a mistake if there is an address to listen on with TLS and no certificate to show there, or
// a member of a fleet that cannot know the others by theirs.
void CheckTls(const Config& config, Mistakes* mistakes);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_TLS_H_
