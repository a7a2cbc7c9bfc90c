"""numbers.yaml -> rules and labels: what numbers.py knows of measurements, compiled once a process.

A label is one way to write a measurement's name. It is looked for in lower case, among those that begin with the same
character; one with capitals is then matched once more with them (K is potassium, k is not).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from conf.identity import name_key

ADULT = "adult"
_BANDS = ("newborn", "infant", "toddler", "preschool", "school", ADULT)

_WORD_START = re.compile(r"(?<!\w)(?<!\w-)\w")

Limits = tuple[float | None, float | None]
"""Lowest and highest normal value; None = no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A way to write a unit, and how its numbers become the rule's: number * factor + offset."""

    pattern: re.Pattern[str]
    """Matches right behind the number, blanks included."""
    factor: float
    offset: float = 0.0

    def scaled(self, number: float) -> float:
        """A number in the rule's unit."""
        return number * self.factor + self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row of numbers.yaml, where the columns are explained."""

    name: str
    specimen: str
    pair: bool
    """Two numbers, systolic over diastolic; the limits are the first one's."""
    units: tuple[Unit, ...]
    bare: tuple[Unit, ...]
    plausible: tuple[float, float]
    limits: Mapping[str, Limits]
    diastolic: Mapping[str, Limits]
    low: tuple[str, ...]
    high: tuple[str, ...]

    def normal(self, band: str, sex: str = "") -> Limits:
        """Limits for an age band and, for adults, a sex; those of the next older band where a band has none."""
        return self.limits[sex] if band == ADULT and sex in self.limits else _of_band(self.limits, band)

    def normal_diastolic(self, band: str) -> Limits:
        """Limits of a pair's second number."""
        return _of_band(self.diastolic, band)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One way to write a measurement's name, and the rules that know it."""

    exact: re.Pattern[str] | None
    """The name with its capitals, where they matter."""
    rules: tuple[Rule, ...]


class Labels:
    """Every label, found by the character it begins with: one pattern over all 330 took 15 s for 100,000 brackets."""

    def __init__(self, rows: list[Mapping[str, Any]]) -> None:
        known: dict[str, Label] = {}
        for row in rows:
            rule = _rule(row)
            for word in row["words"]:
                known[word.lower()] = _label(word, rule, known.get(word.lower()))
        by_first: dict[str, list[str]] = {}
        for word in sorted(known, key=lambda word: (-len(word), word)):
            for char in _firsts(word):
                by_first.setdefault(char, []).append(word)
        self.all = tuple(known.values())
        self._by_first = {
            char: (
                re.compile("|".join(f"({_blanks(word)})(?!\\w)" for word in words)),
                [known[word] for word in words],
            )
            for char, words in by_first.items()
        }

    def find(self, written: str, lowered: str) -> Iterator[tuple[int, int, Label]]:
        """Start, end and label of each name of a measurement, from left to right; a longer way to write one goes first."""
        reached = 0
        for start in map(re.Match.start, _WORD_START.finditer(lowered)):
            pattern, found = self._by_first.get(lowered[start], (None, []))
            hit = pattern.match(lowered, start) if pattern and start >= reached else None
            if hit is None:
                continue
            label = found[(hit.lastindex or 1) - 1]
            if label.exact is None or label.exact.match(written, start):
                reached = hit.end()
                yield start, reached, label


@cache
def labels() -> Labels:
    """The labels of numbers.yaml."""
    return Labels(_packaged()["rules"])


@cache
def rule_names() -> tuple[str, ...]:
    """Every rule and side that has a finding, as in Finding.rule, in the file's order."""
    return tuple(f"{row['rule']}_{side}" for row in _packaged()["rules"] for side in ("low", "high") if row.get(side))


@cache
def bare_measurements() -> frozenset[str]:
    """The folded names (conf.identity.name_key) that are measurements and must never link alone."""
    return frozenset(map(name_key, _packaged()["measurements"]))


def _rule(row: Mapping[str, Any]) -> Rule:
    units = {name: _unit(name, scale) for name, scale in row["units"].items()}
    low, high = row["plausible"]
    return Rule(
        name=row["rule"],
        specimen=row.get("specimen", "blood"),
        pair=row.get("kind") == "pair",
        units=tuple(units.values()),
        bare=tuple(units[name] if name in units else _unit("", 1.0) for name in row.get("bare", ())),
        plausible=(low, high),
        limits=_edges(row["limits"]),
        diastolic=_edges(row.get("diastolic", {ADULT: [None, None]})),
        low=tuple(row.get("low", ())),
        high=tuple(row.get("high", ())),
    )


def _edges(rows: Mapping[str, list[float | None]]) -> dict[str, Limits]:
    return {band: (low, high) for band, (low, high) in rows.items()}


def _unit(name: str, scale: float | list[float]) -> Unit:
    """A unit by its name in numbers.yaml; "/" is also "per". A unit ends where the word does."""
    factor, offset = scale if isinstance(scale, list) else (scale, 0.0)
    forms = _packaged()["units"][name] if name else []
    choices = "|".join(
        sorted((_blanks(form).replace("/", r"\s?(?:/|per)\s?") for form in forms), key=len, reverse=True)
    )
    return Unit(pattern=re.compile(rf"\s{{0,2}}(?:{choices or '(?!)'})(?![a-z0-9^])"), factor=factor, offset=offset)


def _firsts(pattern: str) -> set[str]:
    """The characters that what a pattern matches may begin with: of a literal, or of a group of them, that may be left out."""
    if not pattern.startswith("(?:"):
        left_out = pattern[1:2] == "?"
        return {pattern[0]} | (_firsts(pattern[2:]) if left_out else set())
    depth, ends, close = 0, [2], 0
    for place, char in enumerate(pattern):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 1 and char == "|":
            ends.append(place)
        if depth == 0:
            close = place
            break
    found = set().union(*(_firsts(pattern[end + 1 : close]) for end in ends))
    return found | (_firsts(pattern[close + 2 :].lstrip()) if pattern[close + 1 : close + 2] == "?" else set())


def _blanks(pattern: str) -> str:
    """A pattern where a blank matches any one to three."""
    return re.sub(r"(?<!\[-) (?![\]?])", r"\\s{1,3}", pattern)


def _label(word: str, rule: Rule, same: Label | None) -> Label:
    """The label of a word, with what another spelling of it (Hct, HCT) or another rule brought."""
    exact = re.compile(_blanks(word)) if word != word.lower() else None
    if same is None:
        return Label(exact=exact, rules=(rule,))
    either = re.compile(f"{same.exact.pattern}|{exact.pattern}") if same.exact and exact else None
    return Label(exact=either, rules=same.rules if rule in same.rules else (*same.rules, rule))


def _of_band(rows: Mapping[str, Limits], band: str) -> Limits:
    return next(rows[each] for each in _BANDS[_BANDS.index(band) :] if each in rows)


@cache
def _packaged() -> Any:
    return yaml.safe_load((resources.files("medreason_ray.linking") / "numbers.yaml").read_text(encoding="utf-8"))
