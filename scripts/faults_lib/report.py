"""The table, what is behind it, and the JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .runner import Result

_HEAD = (f"{'event':<45} {'setup':<10} {'requests':>8} {'errors':>7} {'stall ms read/write':>21} {'bar':>8} "
         f"{'acknowl.':>8} {'lost':>6} {'doubled':>7} {'stale':>6} {'equal':>5} {'healed s':>8}")


def head() -> str:
    return f"{_HEAD}\n{'-' * len(_HEAD)}"


def line(result: Result) -> str:
    start = f"{result.title:<45} {result.setup:<10}"
    if result.not_supported:
        return f"{start} not supported: {result.not_supported}"
    if not result.requests:
        return f"{start} failed: {result.failure}"
    stall = f"{result.read_stall_ms:,.0f} / {result.write_stall_ms:,.0f}"
    bar = {None: "-", True: "met", False: "not met"}[result.bars_met]
    equal = {None: "-", True: "yes", False: "NO"}[result.equal]
    healed = "-" if result.healed_s is None else f"{result.healed_s:.1f}"
    mark = "  <--" if result.violations else ""
    errors = f"{result.errors:,}" + ("*" if result.errors and not result.wrong_errors else "")
    beside = "" if result.cache is None else f"\n    {result.cache.text()}"
    return (f"{start} {result.requests:>8,} {errors:>7} {stall:>21} {bar:>8} {result.acknowledged:>8,} "
            f"{result.lost:>6,} {result.doubled:>7,} {result.stale + result.missing:>6,} {equal:>5} "
            f"{healed:>8}{mark}{beside}")


def details(result: Result) -> list[str]:
    """What a reader needs who wants to know why."""
    lines = [f"{result.row}, {result.setup}: " + "; ".join(result.violations or ["as promised"])]
    if result.errors:
        lines.append(f"  errors from {result.first_error_s:.3f} s to {result.last_error_s:.3f} s:")
        common = sorted(result.error_texts.items(), key=lambda item: -item[1])
        lines += [f"    {count:>6} {text}" for text, count in common[:6]]
    if result.read_bar_ms is not None and not result.bars_met:
        lines.append(f"  stalls: read {result.read_stall_ms:.0f} ms at {result.read_stall_at_s:.3f} s "
                     f"(bar {result.read_bar_ms:.0f}), write {result.write_stall_ms:.0f} ms at "
                     f"{result.write_stall_at_s:.3f} s (bar {result.write_bar_ms:.0f})")
    if result.other_stall_ms is not None:
        bar = "" if result.other_bar_ms is None else f" (bar {result.other_bar_ms:.0f})"
        lines.append(f"  longest stall on the shard that nothing happened to: {result.other_stall_ms:.0f} ms{bar}")
    lines += [f"  {text}" for text in result.examples[:8]]
    lines += [f"  {text}" for text in result.differences[:12]]
    lines += [f"  {text}" for text in result.notes[-12:]]
    if result.facts:
        lines.append("  " + ", ".join(f"{name} {value}" for name, value in result.facts.items()))
    if result.kept:
        lines.append(f"  logs, config and data: {result.kept}")
    if result.violations:
        lines.append(f"  again: scripts/faults --setups {result.setup} --rows {result.row}")
    return lines


def summary(results: list[Result]) -> str:
    lines = ["", "* the errors belong to the event. bar: the longest stall that the design allows gemel."]
    shown = [one for one in results if one.violations or one.bars_met is False]
    if shown:
        lines += ["", "What was not as it should be"]
        for one in shown:
            lines += details(one)
    gemel = [one for one in results if one.setup == "gemel" and not one.not_supported]
    if not gemel:
        return "\n".join(lines)
    wrong = sum(bool(one.violations) for one in gemel)
    barred = [one for one in gemel if one.bars_met is not None]
    lines += ["", f"gemel: {len(gemel) - wrong} of {len(gemel)} events without error, loss, doubled or stale "
              f"data; the longest stall within its bar in {sum(bool(one.bars_met) for one in barred)} of "
              f"{len(barred)}"]
    return "\n".join(lines)


def write_json(path: Path, about: dict[str, Any], results: list[Result]) -> None:
    write_document(path, about, [result.as_json() for result in results])


def write_document(path: Path, about: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    document = {"about": about, "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
