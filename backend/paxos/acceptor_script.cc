#include "backend/paxos/acceptor_script.h"

namespace gemel {

// A copy of another node's data, by REPLICAOF, has that node's nonce, and so does not pass for this
// one's. While the copying goes on nothing is answered, since the other's writes come in. Who was a
// replica since it became an acceptor, or since it was restarted, has another master_replid2 than
// then: what it has may be a copy of its own of earlier, which came home from another node. (A
// master that had no replica for an hour forgets it, which says nothing.)
// Who may evict the hash as any other key says nothing either: among keys of the same second LRU
// does not tell which is used more, and a majority may do so at once.
const char* const kAcceptorScript = R"lua(
local key = KEYS[1]
local op, nonce, epoch, id, name, ballot, text = unpack(ARGV)
local rep = redis.call('INFO', 'replication')
if string.find(rep, 'role:slave', 1, true) then return {'REPLICA'} end
local evicts = string.match(redis.call('INFO', 'memory'), 'maxmemory_policy:(allkeys%-%a+)')
if evicts then return {'EVICTS', evicts} end
local master = string.match(rep, 'master_replid2:(%x+)') or ''
if not string.find(master, '[^0]') then master = '' end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local m = redis.call('HMGET', key, 'nonce', 'epoch', 'id', 'config', 'offer', 'run', 'master',
  'void')
for i = 1, 8 do m[i] = m[i] or '' end
local own = m[6] == run and (master == '' or m[7] == master)
if master ~= '' and not own then m[6] = '' end
local function about(kind) return {kind, m[1], m[2], m[5], m[4], m[6], run, m[8]} end

if op == 'HELLO' then return about('ABOUT') end

if op == 'OFFER' then
  if m[1] == name and (m[5] == '' or m[5] == nonce) and (m[2] == '' or m[2] <= epoch) then
    local void = m[8]
    if m[1] ~= '' and own and not string.find(m[2], '[^0]') then void = void .. m[1] .. ' ' end
    redis.call('DEL', key)
    redis.call('HSET', key, 'offer', text, 'run', run, 'master', master, 'void', void)
    m = {'', '', '', '', text, run, master, void}
  end
  return about('ABOUT')
end

if op == 'INSTALL' and m[1] == '' and m[5] ~= '' and m[5] == nonce and own then
  redis.call('DEL', key)
  redis.call('HSET', key, 'nonce', nonce, 'epoch', epoch, 'id', id, 'config', text, 'run', run,
    'master', master, 'void', m[8])
  return {'OK'}
end

local is = m[1] ~= '' and m[1] or m[5]
if is == '' or is ~= nonce then return about('STRANGER') end
if master ~= '' and not own then return about('STRANGER') end
if op == 'RESUME' then
  if m[6] == name then redis.call('HSET', key, 'run', run, 'master', master) end
  return {'OK'}
end
if m[1] == '' then return about('STRANGER') end
if m[6] ~= run then return about('RESTARTED') end
if m[2] > epoch or (m[2] == epoch and m[3] ~= id) then return about('OTHER') end
if op == 'INSTALL' then
  redis.call('HSET', key, 'epoch', epoch, 'id', id, 'config', text)
  return {'OK'}
end
if m[2] < epoch then return about('BEHIND') end

if op == 'NAMES' then
  local names, prefix = {'OK'}, 'v:' .. name
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, #prefix) == prefix then names[#names + 1] = string.sub(field, 3) end
  end
  return names
end

local r = redis.call('HMGET', key, 'p:' .. name, 'a:' .. name)
local promised, accepted = r[1] or '', r[2] or ''
if op == 'ACCEPT' then
  if ballot < promised or ballot <= accepted then
    return {'CONFLICT', promised > accepted and promised or accepted}
  end
  redis.call('HSET', key, 'p:' .. name, ballot, 'a:' .. name, ballot, 'v:' .. name, text)
  return {'OK'}
end
if op == 'PREPARE' then
  if ballot <= promised or ballot <= accepted then
    return {'CONFLICT', promised > accepted and promised or accepted}
  end
  redis.call('HSET', key, 'p:' .. name, ballot)
  promised = ballot
elseif op ~= 'READ' then
  return redis.error_reply('ERR the register script does not know ' .. op)
end
return {'OK', promised, accepted, redis.call('HGET', key, 'v:' .. name) or ''}
)lua";

const char* const kSourceScript = R"lua(
redis.call('SELECT', ARGV[1])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if redis.call('HGET', ARGV[2], 'run') ~= run then redis.call('DEL', ARGV[2]) end
return redis.status_reply('OK')
)lua";

const char* const kAcceptorFlags = "#!lua flags=allow-oom\n";

}  // namespace gemel
