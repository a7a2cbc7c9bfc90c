"""What was measured -> tables for a person, each figure beside its bar, and the line of JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from kg_spark.verification.benchmark import BARS, Measured, Rate
from kg_spark.verification.mutant import name_of
from kg_spark.verification.mutants import IN_TEXT, STRUCTURAL, TEXT_ONLY

COLUMNS = ("kind", "planted", "equivalent", "found", "share", "95 % interval", "bar", "")
FREE_PROSE = ("dev", "held_out")


def table(measured: Measured) -> list[list[object]]:
    """A row a kind, then the kinds told by words alone, then the false alarms."""
    rows: list[list[object]] = []
    for kind in (*STRUCTURAL, *TEXT_ONLY):
        bar = BARS["structural" if kind in STRUCTURAL else "text_only"]
        rows.append(_row(kind, measured, kind, bar=bar))
    rows += [_row(f"{kind}, words alone", measured, name_of(kind, in_text=True), bar=None) for kind in IN_TEXT]
    rows.append(_alarms(measured))
    return rows


def _alarms(measured: Measured) -> list[object]:
    """Findings against chains as they came; false alarms only where these are known to be right."""
    rate = measured.false_alarms
    if not measured.is_sound:
        return ["steps with a finding", rate.of, "", rate.hits, *_shown(rate), "", ""]
    bar = BARS["false_alarms"]
    verdict = "" if rate.share is None else "met" if rate.share <= bar else "not met"
    return ["false_alarms", rate.of, "", rate.hits, *_shown(rate), f"<= {bar}", verdict]


def _row(label: str, measured: Measured, name: str, *, bar: float | None) -> list[object]:
    rate = measured.rate(name)
    verdict = "" if bar is None or rate.share is None else "met" if rate.share >= bar else "not met"
    told = "" if bar is None else f">= {bar}"
    return [label, measured.planted[name], measured.equivalent[name], rate.hits, *_shown(rate), told, verdict]


def _shown(rate: Rate) -> tuple[str, str]:
    if rate.share is None or rate.interval is None:
        return "", ""
    return f"{rate.share:.3f}", f"{rate.interval[0]:.3f}-{rate.interval[1]:.3f}"


def below(corpora: Mapping[str, Measured]) -> list[str]:
    """What is not up to its bar, as corpus.kind."""
    return [f"{name}.{row[0]}" for name, measured in corpora.items() for row in table(measured) if row[-1] == "not met"]


def pooled(parts: Sequence[Measured]) -> Measured:
    """Several corpora as one."""
    whole = Measured()
    for part in parts:
        whole.chains += part.chains
        whole.steps += part.steps
        whole.alarmed += part.alarmed
        whole.chains_alarmed += part.chains_alarmed
        whole.planted += part.planted
        whole.equivalent += part.equivalent
        whole.found += part.found
    return whole


def summary(corpora: Mapping[str, Measured]) -> dict[str, Any]:
    """For the last line: the free prose as one, then each corpus by its name."""
    prose = pooled([measured for name, measured in corpora.items() if name in FREE_PROSE]).summary()
    shown = ("kill_rate", "text_kill_rate", "in_text", "false_alarm_rate", "false_alarm_interval")
    return {
        **{key: prose[key] for key in shown},
        "corpora": {name: measured.summary() for name, measured in corpora.items()},
        "bars": BARS,
        "below_bar": below(corpora),
    }
