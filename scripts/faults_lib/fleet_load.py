"""Nine clients, shared out among the members, that also look at each other's counters, whichever member carried them out.

What any client was told of a counter, all that ask for it later must be told at least: each writes the highest value
that it knows into memory that all share, and looks there before it asks. One counter a shard is everybody's.
"""

from __future__ import annotations

from multiprocessing.sharedctypes import RawArray

from .client import FAILED, READ, WRITE, Board, Connector, LoadClient, Range
from .load import Load, LoadOptions, Outcome

CLIENTS = 9


class Floors:
    """What is known of each counter, a word for each client that knows: nobody writes another's word."""

    def __init__(self, counters: int) -> None:
        self._words = RawArray("Q", counters * CLIENTS)

    def known(self, counter: int) -> int:
        at = counter * CLIENTS
        return max(self._words[at:at + CLIENTS])

    def raise_to(self, counter: int, client: int, value: int) -> None:
        at = counter * CLIENTS + client
        self._words[at] = max(self._words[at], value)


class FleetClient(LoadClient):
    def __init__(self, index: int, connector: Connector, board: Board, options: LoadOptions, began: float,
                 floors: Floors) -> None:
        super().__init__(index, connector, board, options.tags, options.pause_s, options.window, options.appends,
                         began)
        self._floors = floors
        # Increments of everybody's counter, a shard: acknowledged ones, and those whose outcome is unknown.
        self.seen.shared = {tag: Range() for tag in range(len(options.tags))}

    def _round(self) -> None:
        super()._round()
        tag = self._tag(self._number)
        self._floors.raise_to(self._place(tag, self._index), self._index, self.seen.counters[tag].low)
        self._look_at_another(tag, self._random.randrange(CLIENTS))
        self._increment_shared(tag)

    def _place(self, tag: int, of: int) -> int:
        """Its counter's; that of CLIENTS is everybody's."""
        return tag * (CLIENTS + 1) + of

    def _look_at_another(self, tag: int, of: int) -> None:
        place = self._place(tag, of)
        floor = self._floors.known(place)
        key = f"{self._tags[tag]}c:{of}"
        reply = self._ask(READ, tag, "GET", key)
        if reply is FAILED:
            return
        self._hear(place, floor, int(reply or 0), f"GET {key}")

    def _increment_shared(self, tag: int) -> None:
        place = self._place(tag, CLIENTS)
        floor = self._floors.known(place)
        key = shared_key(self._tags[tag])
        reply = self._ask(WRITE, tag, "INCR", key)
        shared = self.seen.shared[tag]
        if reply is FAILED:
            shared.high += 1
            return
        self.seen.acknowledged += 1
        shared.low += 1
        self._hear(place, floor + 1, reply, f"INCR {key}")

    def _hear(self, place: int, floor: int, value: int, what: str) -> None:
        if value < floor:
            self.seen.stale += 1
            self._example(f"{what} answered {value}, {floor} was known to somebody before")
        self._floors.raise_to(place, self._index, value)


def shared_key(tag: str) -> str:
    return f"{tag}c:all"


class FleetLoad(Load):
    def __init__(self, connectors: list[Connector], tags: list[str]) -> None:
        self._connectors = connectors
        self._floors = Floors((CLIENTS + 1) * len(tags))
        super().__init__(connectors[0], LoadOptions(tags, clients=CLIENTS))

    def client(self, index: int, connector: Connector, board: Board) -> LoadClient:
        return FleetClient(index, self._connectors[index % len(self._connectors)], board, self.options, self.began,
                           self._floors)


def check_shared(outcome: Outcome, tags: list[str], ask) -> None:
    """Everybody's counters in the end; `ask` is of a client."""
    for tag, prefix in enumerate(tags):
        acknowledged = sum(outcome.seen_by(index).shared[tag].low for index in range(CLIENTS))
        unknown = sum(outcome.seen_by(index).shared[tag].high for index in range(CLIENTS))
        reply = ask("GET", shared_key(prefix))
        value = int(reply) if isinstance(reply, str) else 0
        outcome.lost += max(0, acknowledged - value)
        outcome.doubled += max(0, value - acknowledged - unknown)
        if not acknowledged <= value <= acknowledged + unknown:
            outcome.examples.append(f"in the end: GET {shared_key(prefix)} answered {reply}, expected {acknowledged} to "
                                    f"{acknowledged + unknown}")
