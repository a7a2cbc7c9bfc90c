"""text -> Findings: what the numbers in a text say, "Na+: 128 mEq/L" being hyponatremia.

A question states most of its case in numbers, and a linker of names makes "blood pressure is 180/110" the node Blood
Pressure, which says nothing. Each rule of numbers.yaml knows a measurement's names, its units, what is normal by age and
the finding on either side. A rule speaks only when label, number and unit are all understood: an unknown unit, an
implausible value, another specimen (ascites, urine) or a range where a value should be give nothing, for a wrong finding
costs more than a missing one. Every repetition in a pattern is bounded, so the time is linear in the text.

Source: limits as numbers.yaml says; the rules and the code are ours.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from medreason_ray.linking.numbers_case import Case
from medreason_ray.linking.numbers_rules import ADULT, Limits, Rule, Unit, labels

_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,3}(?![0-9])|[0-9]{1,7})(?:\.[0-9]{1,6})?|\.[0-9]{1,6}"
_VALUE = re.compile(
    rf"(?P<sign>[<>≤≥]=?|(?:less|greater|more)\sthan\s)?\s?(?P<number>-?(?:{_NUMBER}))(?![0-9]|[.,][0-9]|\s?-\s?[0-9]|\sto\s[0-9])"
)
_PAIR = re.compile(r"(?P<number>[0-9]{2,3})\s?(?:/|over)\s?(?P<second>[0-9]{2,3}|p(?:alp\w{0,8})?)(?![0-9/])")
_TAIL = re.compile(
    r"(?:\s(?:levels?|concentrations?|counts?|values?|activity|readings?|measurements?|titers?))?"
    r"(?:\s{0,2}\((?P<noted>[^()\n0-9][^()\n]{0,30})\))?"
    r"\s{0,3}(?:[:=|,]|-(?=\s))?\s{0,6}"
    r"(?:(?:of|is|was|are|were|at|as|to|be|has|have|been|now|only|about|approximately|approx\.?|around|nearly|almost|up|high"
    r"|reads?|shows?|showed|reveals?|revealed|measures?|measured|taken|noted|found|reported|recorded|determined|estimated"
    r"|calculated|increased|elevated|decreased|low|lower|reduced|declined|fallen|risen|rose|fell|dropped|drops|rises|remains?"
    r"|remained|significantly|markedly|mildly|severely|currently|also|still|today|initially|orally|rectally|on|room|air"
    r"|admission|arrival|presentation|examination|rest|birth|a|an|the|value|level)[:,]?\s{1,3}){0,7}"
)
_UNREADABLE = re.compile(r"[^\S\n]?-?[a-z0-9%°/^*+]")
_JOINS = re.compile(
    r"\s(?:and|with|but|or|on|in|while|mm(?![a-z]))(?![a-z])|/(?=[a-z]{2,6}\s?[:=]?\s?[0-9])"
    r"|\s[a-z][a-z0-9+-]{0,12}\s?[:=]?\s?[0-9]"
)
_OPENED = re.compile(rf"\s?(?P<open>[(/])\s?(?:{_NUMBER})")
_CLOSED = re.compile(r"\s?\)")
_ROOM_AIR = re.compile(r"\s(?:on|while\sbreathing|breathing|in)\s(?:room|ambient)\sair(?![a-z])")
_RANGE = re.compile(
    r"\s{0,3}(?P<open>[(\[,;]\s{0,2})?"
    r"(?P<word>(?:n|nl|normal|norm|reference|ref)(?![a-z])\.?(?:\s(?:ranges?|values?|limits?|interval|level))?\s{0,2}"
    r"(?:[:=]|is|of)?\s{0,2})?"
    rf"(?:(?P<low>{_NUMBER})(?:\s?[a-z%°][a-z%°/^0-9]{{0,11}})?\s{{0,2}}(?:-|to)\s{{0,2}}(?P<high>{_NUMBER})"
    rf"|(?P<sign>[<>≤≥]=?|(?:up|less|greater|more)\s(?:to|than))\s{{0,2}}(?P<edge>{_NUMBER}))"
)
_BEFORE = re.compile(
    r"(?<![\w-])(?:(?:serum|plasma|venous|arterial|peripheral|rectal|oral|tympanic|axillary|resting|random|total|blood|core"
    r"|body|morning|postprandial|urine|csf) ){1,2}$"
)
_BEFORE_CHARS = 26  # the longest two such words
_RANGE_FACTOR = 8.0  # a stated range farther than this from the rule's own is in another unit
_CLOSE = 1e-9
_FIRST = frozenset("0123456789.<>≤≥-lgm")  # of a value or its sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An abnormal measurement; offsets in characters of the text as given, from 0, `end` behind the last."""

    start: int
    end: int
    rule: str
    """Rule and side, as "sodium_low"."""
    names: tuple[str, ...]
    """The finding in the words of several vocabularies, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A number that a rule understood; values and limits in the rule's unit."""

    rule: Rule
    start: int
    end: int
    value: float
    second: float | None
    """A pair's diastolic number."""
    sign: str
    """">" or "<" where the text gives a bound for the value, else empty."""
    limits: Limits
    diastolic: Limits

    def finding(self) -> Finding | None:
        """None when the value is normal, or the side has no finding."""
        low, high = self.limits
        if self.sign != ">" and self.rule.low and low is not None and self._beyond(low - self.value):
            return self._found("low", self.rule.low)
        above = self.sign != "<" and high is not None and self._beyond(self.value - high)
        ceiling = self.diastolic[1]
        above = above or (self.second is not None and ceiling is not None and self.second > ceiling)
        return self._found("high", self.rule.high) if above and self.rule.high else None

    def _beyond(self, distance: float) -> bool:
        """Whether a value that far outside a limit is abnormal: "< 12" is where 12 is still normal."""
        least = _CLOSE * max(1.0, abs(self.value))
        return distance > (-least if self.sign else least)

    def _found(self, side: str, names: tuple[str, ...]) -> Finding:
        return Finding(start=self.start, end=self.end, rule=f"{self.rule.name}_{side}", names=names)


def findings(text: str) -> list[Finding]:
    """The abnormal measurements of a text, from left to right; none overlaps another. Raises nothing."""
    found = (next(filter(None, (each.finding() for each in readings)), None) for readings in _readings(text))
    return [each for each in found if each is not None]


def measured(text: str) -> list[tuple[int, int]]:
    """Start and end of each measurement with its number that a rule understood, normal or not: names in it stand for no node."""
    return [(readings[0].start, readings[0].end) for readings in _readings(text)]


def _readings(text: str) -> Iterator[list[_Reading]]:
    """For each measurement, what the rules that understood it read, at least one."""
    case = Case(text)
    reached = 0
    for first, behind, label in labels().find(case.written, case.lowered):
        tail = _TAIL.match(case.lowered, behind) if first >= reached else None
        if tail is None or case.lowered[tail.end() : tail.end() + 1] not in _FIRST:
            continue
        specimen = case.specimen(behind)
        rules = [rule for rule in label.rules if rule.specimen in {"any", specimen}]
        start = _start(case, first, reached)
        read = [each for rule in rules if (each := _read(rule, case, start, tail))]
        if read:
            reached = read[0].end
            yield read


def _start(case: Case, start: int, reached: int) -> int:
    """Where the phrase begins: at "serum" in "serum sodium"."""
    since = max(reached, start - _BEFORE_CHARS)
    before = _BEFORE.search(case.lowered[since:start])
    return since + before.start() if before else start


def _read(rule: Rule, case: Case, start: int, tail: re.Match[str]) -> _Reading | None:
    """The number behind a label as one rule reads it; None when it does not understand it."""
    text = case.lowered
    value = (_PAIR if rule.pair else _VALUE).match(text, tail.end())
    if value is None:
        return None
    number = _float(value["number"])
    unit, end = _unit(rule, text, value, tail["noted"])
    if unit is None or not rule.plausible[0] <= unit.scaled(number) <= rule.plausible[1]:
        return None
    second = float(value["second"]) if rule.pair and value["second"].isdecimal() else None
    if second is not None and second >= number:
        return None
    end = _behind(rule, text, end)
    band, sex = case.person(start)
    return _Reading(
        rule=rule,
        start=start,
        end=end,
        value=unit.scaled(number),
        second=second,
        sign="" if rule.pair else _sign(value["sign"]),
        limits=_stated(rule, unit, text, end) or rule.normal(band, sex),
        diastolic=rule.normal_diastolic(band),
    )


def _unit(rule: Rule, text: str, value: re.Match[str], noted: str | None) -> tuple[Unit | None, int]:
    """The unit behind a number and where it ends; the one that the label noted, or the likeliest, where there is none."""
    end = value.end()
    for unit in rule.units:
        if match := unit.pattern.match(text, end):
            return unit, match.end()
    if _UNREADABLE.match(text, end) and not _JOINS.match(text, end):
        return None, end
    for unit in rule.units:
        if noted and unit.pattern.fullmatch(noted):
            return unit, end
    low, high = rule.plausible
    number = _float(value["number"])
    return next((unit for unit in rule.bare if low <= unit.scaled(number) <= high), None), end


def _behind(rule: Rule, text: str, end: int) -> int:
    """Where the phrase ends: behind the same value in another unit, "(102.6 °F)", and behind "on room air"."""
    opened = _OPENED.match(text, end)
    also = [match.end() for unit in rule.units if opened and (match := unit.pattern.match(text, opened.end()))]
    if opened and also:
        closed = _CLOSED.match(text, also[0])
        end = closed.end() if closed else also[0] if opened["open"] == "/" else end
    air = _ROOM_AIR.match(text, end) if rule.name == "oxygen_saturation" else None
    return air.end() if air else end


def _stated(rule: Rule, unit: Unit, text: str, end: int) -> Limits | None:
    """The normal range beside a value, in the rule's unit; None when there is none or it is in another unit.

    A range without a word for normal counts in brackets, and behind a comma when it has the value's unit.
    """
    match = _RANGE.match(text, end) if not rule.pair else None
    if match is None:
        return None
    if not match["word"]:
        opened = (match["open"] or "").strip()
        if not match["low"] or not opened or (opened in ",;" and not unit.pattern.match(text, match.end())):
            return None
    low, high, edge = (unit.scaled(_float(part)) if part else None for part in match.group("low", "high", "edge"))
    if edge is not None:
        low, high = (edge, None) if _sign(match["sign"]) == ">" else (None, edge)
    if low is not None and high is not None and low >= high:
        return None
    pairs = zip((low, high), rule.normal(ADULT), strict=True)
    far = any(here and own and not 1 / _RANGE_FACTOR < here / own < _RANGE_FACTOR for here, own in pairs)
    return None if far else (low, high)


def _sign(written: str | None) -> str:
    return "" if not written else ">" if written[0] in ">≥gm" else "<"


def _float(written: str) -> float:
    return float(written.replace(",", ""))
