"""What some cases took -> what the others will take, each figure with a 95 % interval.

The cases of a probe differ much in length, so the interval is a percentile bootstrap over cases: whole cases are drawn again,
and each figure is computed from the draw.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conf.config import EngineConfig

USED = ("requests", "tokens_in", "tokens_out", "seconds", "failed")
"""Columns of what a case used; seconds are those of its requests, from asking to reply; failed is a part of requests."""

Used = npt.NDArray[np.float64]
"""(n, len(USED)), a row a case."""

_DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One figure."""

    name: str
    value: float
    low: float
    high: float


def estimate(used: Used, cases: int, engine: EngineConfig, seed: int) -> list[Estimate]:
    """What so many further cases will take.

    An engine is taken to be as full as `engine.concurrency` allows: what a case takes of it is the seconds of its requests
    by that number. Its start is not counted.

    Args:
        used: of the probe's cases; at least one.
        cases: how many are still to be asked.
        engine: how many requests an actor has in flight, how many actors there are, and the prices.
        seed: of the draws.
    """
    draws = np.random.default_rng(seed)
    n = len(used)
    means = np.stack([used.mean(axis=0), *(used[draws.integers(n, size=n)].mean(axis=0) for _ in range(_DRAWS))])
    found = []
    for name, values in _figures(means, cases, engine).items():
        low, high = np.nanpercentile(values[1:], [2.5, 97.5])
        found.append(Estimate(name=name, value=float(values[0]), low=float(low), high=float(high)))
    return found


def _figures(means: Used, cases: int, engine: EngineConfig) -> dict[str, npt.NDArray[np.float64]]:
    """Each figure, from the mean case of each draw."""
    requests, read, written, seconds, _ = means.T
    engine_seconds = seconds / engine.concurrency
    hours = cases * engine_seconds / 3600
    tokens = cases * (read * engine.price_in + written * engine.price_out) / 1e6
    return {
        "requests_per_case": requests,
        "tokens_in_per_case": read,
        "tokens_out_per_case": written,
        "tokens_out_per_s": written / np.maximum(engine_seconds, 1e-9),
        "requests": cases * requests,
        "tokens_in": cases * read,
        "tokens_out": cases * written,
        "engine_hours": hours,
        "wall_hours": hours / engine.actors,
        "money": tokens + hours * engine.price_hour,
    }
