"""In no minute more is asked of an endpoint than it allows."""

import asyncio
from bisect import bisect_left
from dataclasses import dataclass, field, replace

import pytest

from medreason_ray.engines.http import HttpEngine
from medreason_ray.engines.pace import Pace
from tests.medreason_ray.endpoint import (
    Endpoint,
    completion,
    error,
    request,
    says,
)

# How fast one asks.


class Clock:
    """A time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self, per_minute: int) -> Pace:
        return Pace(per_minute, clock=self, sleep=self.sleep)


def starts(pace: Pace, clock: Clock, amounts: list[int]) -> list[float]:
    async def run() -> list[float]:
        found = []
        for amount in amounts:
            await pace.take(amount)
            found.append(clock.now - 1000)
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("per_minute", [1, 7, 60, 6000])
def test_in_no_minute_more_is_asked_than_allowed(per_minute: int) -> None:
    clock = Clock()
    found = starts(clock.pace(per_minute), clock, [1] * (3 * per_minute + 3))
    most = max(bisect_left(found, first + 60) - position for position, first in enumerate(found))
    assert per_minute <= most <= per_minute + max(1, per_minute // 60) + 1


def test_tokens_are_paid_off_before_the_next_are_taken() -> None:
    clock = Clock()
    assert starts(clock.pace(600), clock, [100, 50, 300, 1]) == pytest.approx([0, 9, 14, 44])


def test_more_than_a_minutes_allowance_is_asked_for_all_the_same() -> None:
    clock = Clock()
    assert starts(clock.pace(10), clock, [100, 1]) == pytest.approx([0, 599])


def test_what_a_reply_did_not_use_is_handed_back() -> None:
    clock = Clock()
    pace = clock.pace(600)
    starts(pace, clock, [1000])
    pace.settle(1000, 200)
    assert starts(pace, clock, [1]) == pytest.approx([19])


def test_what_a_reply_used_beyond_is_paid_for() -> None:
    clock = Clock()
    pace = clock.pace(600)
    starts(pace, clock, [10])
    pace.settle(10, 110)
    assert starts(pace, clock, [1]) == pytest.approx([10])


def test_no_allowance_is_no_limit() -> None:
    clock = Clock()
    assert starts(clock.pace(0), clock, [10**9] * 3) == [0, 0, 0]


@dataclass
class Taken:
    """A pace that keeps what was asked of it."""

    amounts: list[int] = field(default_factory=list)
    settled: list[tuple[int, int]] = field(default_factory=list)

    async def take(self, amount: int) -> None:
        self.amounts.append(amount)

    def settle(self, taken: int, used: int) -> None:
        self.settled.append((taken, used))


def test_every_try_counts_and_only_what_came_back_is_settled(endpoint: Endpoint) -> None:
    endpoint.answers += [error(429), error(503), says(completion())]

    async def run() -> tuple[Taken, Taken]:
        engine = HttpEngine(replace(endpoint.config(), thinking_tokens=50))
        engine._requests, engine._tokens = requests, tokens = Taken(), Taken()  # type: ignore[assignment]
        await engine.ask(request(prompt="x" * 31))
        await engine._client.close()
        return requests, tokens

    requests, tokens = asyncio.run(run())
    assert requests.amounts == [1, 1, 1]
    assert tokens.amounts == [161, 161, 161]  # 31 characters are 11 tokens; 100 of the reply, 50 of its thoughts
    assert tokens.settled == [(161, 45)]
