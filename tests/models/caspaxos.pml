/* A register by CASPaxos: acceptors that keep what they answered or are out, proposers that change
 * the register by its version, and messages that are lost, late or out of order. Every interleaving
 * of it is searched (scripts/spin_check). Changes of the acceptors are not in it.
 *
 * What must hold: of each version there is one write, and each write was made on the one before.
 *
 * The second proposer has one attempt, the first has two; -DMORE: both have, which takes longer.
 * Each of -DPROMISE_NOT_STORED, -DACCEPT_BELOW_PROMISE, -DSILENT_AMNESIA and -DREUSED_BALLOT breaks
 * a rule, and must be found. */

#define ACCEPTORS 3
#define MAJORITY 2
#define PROPOSERS 2
#define ROUNDS 2
#define WRITES 5   /* one a round; 0: none */
#define VERSIONS 6

typedef Acceptor {
  byte promised;
  byte accepted;
  byte version;
  byte write;
  bool out;      /* lost its data, and says so */
};
Acceptor acceptor[ACCEPTORS];

/* To each acceptor one of each proposer may be under way: a later one that finds it there replaces
 * it, which is a loss. Ballot 0: none. */
typedef Accept {
  byte ballot[ACCEPTORS];
  byte version[ACCEPTORS];
  byte write[ACCEPTORS];
};
Accept under_way[PROPOSERS];

byte acks[WRITES];
byte made_on[WRITES];        /* the write before it */
byte history[VERSIONS];      /* the write of each version, once it is known */
bool lost_one;

/* What Know is told; 0 but while it is. */
byte known_version;
byte known_write;

inline Know() {
  assert(history[known_version] == 0 || history[known_version] == known_write);
  history[known_version] = known_write
}

inline Deliver(p, a) {
  d_step {
    if
    :: !acceptor[a].out &&
#ifndef ACCEPT_BELOW_PROMISE
       under_way[p].ballot[a] >= acceptor[a].promised &&
#endif
       under_way[p].ballot[a] > acceptor[a].accepted ->
      acceptor[a].promised = under_way[p].ballot[a];
      acceptor[a].accepted = under_way[p].ballot[a];
      acceptor[a].version = under_way[p].version[a];
      acceptor[a].write = under_way[p].write[a];
      acks[acceptor[a].write]++;
      if
      :: acks[acceptor[a].write] == MAJORITY ->
        known_version = acceptor[a].version;
        known_write = acceptor[a].write;
        Know();
        if
        :: known_version > 1 ->
          known_version--;
          known_write = made_on[known_write];
          Know()
        :: else
        fi;
        known_version = 0;
        known_write = 0
      :: else
      fi
    :: else
    fi;
    under_way[p].ballot[a] = 0;
    under_way[p].version[a] = 0;
    under_way[p].write[a] = 0
  }
}

active proctype Network() {
  end: do
  :: under_way[0].ballot[0] > 0 -> Deliver(0, 0)
  :: under_way[0].ballot[1] > 0 -> Deliver(0, 1)
  :: under_way[0].ballot[2] > 0 -> Deliver(0, 2)
  :: under_way[1].ballot[0] > 0 -> Deliver(1, 0)
  :: under_way[1].ballot[1] > 0 -> Deliver(1, 1)
  :: under_way[1].ballot[2] > 0 -> Deliver(1, 2)
  :: d_step {
       !lost_one ->
       lost_one = true;
#ifdef SILENT_AMNESIA
       acceptor[0].promised = 0;
       acceptor[0].accepted = 0;
       acceptor[0].version = 0;
       acceptor[0].write = 0
#else
       acceptor[0].out = true
#endif
     }
  od
}

/* Answered, or lost. */
inline Prepare(a) {
  if
  :: d_step {
       !acceptor[a].out && ballot > acceptor[a].promised && ballot > acceptor[a].accepted ->
#ifndef PROMISE_NOT_STORED
       acceptor[a].promised = ballot;
#endif
       promises++;
       if
       :: acceptor[a].accepted > highest ->
         highest = acceptor[a].accepted;
         version = acceptor[a].version;
         write = acceptor[a].write
       :: else
       fi
     }
  :: skip
  fi
}

inline Send(a) {
  under_way[me].ballot[a] = ballot;
  under_way[me].version[a] = version + 1;
  under_way[me].write[a] = mine
}

proctype Proposer(byte me) {
  byte round = 1, ballot = 0, promises = 0, highest = 0, version = 0, write = 0, mine = 0;
  do
#ifdef MORE
  :: round > ROUNDS -> break
#else
  :: round + me > ROUNDS -> break
#endif
  :: else ->
#ifdef REUSED_BALLOT
    if
    :: promises >= MAJORITY
    :: promises < MAJORITY ->
      d_step { promises = 0; highest = 0; version = 0; write = 0 }
#endif
    ballot = round * PROPOSERS + me;
    Prepare(0);
    Prepare(1);
    Prepare(2);
#ifdef REUSED_BALLOT
    fi;
#endif
    if
    :: d_step {
         promises >= MAJORITY ->
         mine = me * ROUNDS + round;
         made_on[mine] = write;
         Send(0);
         Send(1);
         Send(2)
       }
    :: promises < MAJORITY
    fi;
    d_step {
#ifndef REUSED_BALLOT
      ballot = 0; promises = 0; highest = 0; version = 0; write = 0;
#endif
      mine = 0;
      round++
    }
  od
}

init {
  atomic {
    run Proposer(0);
    run Proposer(1)
  }
}
