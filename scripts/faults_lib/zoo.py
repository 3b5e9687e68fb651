"""Hostile clients at work: each kind in a process of its own, visit after visit."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from multiprocessing.sharedctypes import RawArray

from bench_lib.process import die_with_parent

from .hostile import KINDS, Target

_STOP_S = 15.0


class Zoo:
    """Runs from its construction until stop."""

    def __init__(self, kinds: list[str], target: Target, seed: int) -> None:
        self.kinds = kinds
        self._stop = RawArray("b", 1)
        self._visits = RawArray("L", len(kinds))
        context = multiprocessing.get_context("fork")
        self._keepers = [context.Process(target=self._keep, args=(index, target, f"{seed} {kind}"), daemon=True)
                         for index, kind in enumerate(kinds)]
        for keeper in self._keepers:
            keeper.start()

    @property
    def visits(self) -> dict[str, int]:
        return dict(zip(self.kinds, self._visits))

    def stop(self) -> None:
        """Visits end, or are ended: clients may leave at any time."""
        self._stop[0] = 1
        for keeper in self._keepers:
            keeper.join(_STOP_S / len(self._keepers))
        for keeper in self._keepers:
            keeper.kill()
            keeper.join(10)

    def _keep(self, index: int, target: Target, seed: str) -> None:
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.nice(10)  # what others wait for is gemel, not this process
        dice = random.Random(seed)
        while not self._stop[0]:
            try:
                KINDS[self.kinds[index]](target, dice)
            except OSError:
                pass  # closed by the proxy, or turned away: what it may do with such a client
            self._visits[index] += 1
        os._exit(0)
