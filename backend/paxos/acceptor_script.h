// The acceptor: a script that the Redis node runs, whole or not at all.

#ifndef GEMEL_BACKEND_PAXOS_ACCEPTOR_SCRIPT_H_
#define GEMEL_BACKEND_PAXOS_ACCEPTOR_SCRIPT_H_

namespace gemel {

// Its key is the acceptor's one hash, its arguments are PaxosAsk::ToArgs, its reply is what
// PaxosAnswer::Parse reads.
//
// Fields of the hash: nonce, epoch, id and config (of the config that holds), run (the run_id in
// which it became an acceptor, or offered itself), master (its master_replid2 then; empty: it was
// no replica before), offer (of who is none yet), and of a register NAME p:NAME (the ballot
// promised last), a:NAME (accepted) and v:NAME (the value); and void (nonces by which it followed a
// config that never came to hold). It is one hash so that nothing can be lost of it without all
// being lost: without the nonce it is an acceptor no more.
extern const char* const kAcceptorScript;
// What a node is asked before another one copies its data: a hash that is none of its own, but came
// with data that was copied to it, goes, so that it does not come back to where it is from. Without
// keys; its arguments are the database and the key.
extern const char* const kSourceScript;
// A line before the first, by which a node from Redis 7.0 on runs it though its memory is full. An
// older one does not understand it, and then takes no register's write.
extern const char* const kAcceptorFlags;

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_ACCEPTOR_SCRIPT_H_
