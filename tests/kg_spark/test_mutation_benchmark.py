"""The mutation score: what it counts, that it reads a lake's chains, and that the verifier keeps its bars."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from conf.lake import Lake
from conf.loading import load
from conf.tables import TABLES
from jobs.mutation_benchmark import by_template
from kg_spark.verification import benchmark
from kg_spark.verification.benchmark import BARS, Measured, measure
from kg_spark.verification.benchmark_report import below, pooled, summary, table
from kg_spark.verification.corpus import PARTS, read
from kg_spark.verification.lake_samples import read_lake
from kg_spark.verification.mutants import STRUCTURAL, TEXT_ONLY

MAX_STEPS = 8


@pytest.fixture(scope="module")
def measured() -> dict[str, Measured]:
    return {part: measure(read(part), max_steps=MAX_STEPS) for part in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_the_verifier_finds_structural_errors(measured: dict[str, Measured], part: str):
    shares = {kind: measured[part].rate(kind).share for kind in STRUCTURAL}
    assert {kind: share for kind, share in shares.items() if share is None or share < BARS["structural"]} == {}


def test_the_verifier_finds_errors_of_words_and_accuses_few_sound_steps(measured: dict[str, Measured]):
    whole = pooled(list(measured.values()))
    shares = {kind: whole.rate(kind).share for kind in TEXT_ONLY}
    assert {kind: share for kind, share in shares.items() if share is None or share < BARS["text_only"]} == {}
    assert whole.false_alarms.of >= 700
    assert (whole.false_alarms.share or 0.0) <= BARS["false_alarms"]


def test_a_verifier_that_finds_nothing_scores_nothing_and_one_that_accuses_all_is_seen(monkeypatch: pytest.MonkeyPatch):
    samples = read("dev")[:4]
    silent = {"grounded": 1.0, "flags": [], "findings": []}
    monkeypatch.setattr(benchmark, "check", lambda *_: silent)
    found = measure(samples, max_steps=MAX_STEPS)
    assert found.rate("swap_relation").share == 0.0
    assert found.false_alarms.share == 0.0
    finding = {"step": 1, "flag": "ANY", "detail": ""}
    monkeypatch.setattr(benchmark, "check", lambda *_: {**silent, "flags": ["ANY"], "findings": [finding]})
    accused = measure(samples, max_steps=MAX_STEPS)
    assert accused.alarmed == accused.chains_alarmed == len(samples)
    # What is said of every chain tells a mutant from none.
    assert accused.rate("swap_relation").share == 0.0
    assert "dev.false_alarms" in below({"dev": accused})


def test_a_chain_accused_in_every_step_and_as_a_whole_has_a_rate_of_one(monkeypatch: pytest.MonkeyPatch):
    samples = read("dev")[:1]
    places = range(len(samples[0].chain["steps"]) + 1)
    findings = [{"step": step, "flag": "ANY", "detail": ""} for step in places]
    monkeypatch.setattr(benchmark, "check", lambda *_: {"grounded": 1.0, "flags": ["ANY"], "findings": findings})
    rate = measure(samples, max_steps=MAX_STEPS).false_alarms
    assert (rate.hits, rate.of) == (len(places), len(places))
    assert rate.share == 1.0
    assert rate.interval is not None
    assert rate.interval[1] == pytest.approx(1.0)


def test_equivalent_mutants_are_counted_and_left_out():
    found = Measured()
    found.planted["dropped_step"] = 10
    found.equivalent["dropped_step"] = 4
    found.found["dropped_step"] = 3
    rate = found.rate("dropped_step")
    assert (rate.hits, rate.of) == (3, 6)
    assert rate.interval is not None
    assert rate.interval[0] < 0.5 < rate.interval[1]
    assert found.rate("negation").share is None
    assert next(row[:5] for row in table(found) if row[0] == "dropped_step") == ["dropped_step", 10, 4, 3, "0.500"]


def test_the_last_line_holds_the_free_prose_by_kind(measured: dict[str, Measured]):
    line = summary({**measured, "template": Measured()})
    assert set(line["kill_rate"]) == set(STRUCTURAL)
    assert set(line["text_kill_rate"]) == set(TEXT_ONLY)
    assert set(line["corpora"]) == {*PARTS, "template"}
    steps = sum(len(sample.chain["steps"]) for part in PARTS for sample in read(part))
    assert line["false_alarm_rate"] == sum(each.alarmed for each in measured.values()) / steps


def test_chains_by_template_are_as_true_as_the_graph():
    found = measure([by_template(sample) for sample in read("dev")[:20]], max_steps=MAX_STEPS)
    assert found.alarmed == 0
    assert all((found.rate(kind).share or 0.0) == 1.0 for kind in STRUCTURAL)


def test_a_lakes_chains_are_read_as_they_were_written(tmp_path: Path):
    lake = Lake(load([f"lake.root={tmp_path}"]))
    assert read_lake(lake) == []
    samples = read("dev")[:3]
    nodes = {
        node.node_id: {
            "node_id": node.node_id,
            "name": node.names[0],
            "type": node.type,
            "synonyms": list(node.names[1:]),
        }
        for sample in samples
        for node in sample.nodes.values()
    }
    edges = {edge: row for sample in samples for edge, row in sample.edges.items()}
    rows = {
        "chains": [sample.chain for sample in samples],
        "cases": [sample.case for sample in samples],
        "questions": [sample.question for sample in samples],
        "links": [link for sample in samples for link in sample.links],
        "nodes": list(nodes.values()),
        "edges": list(edges.values()),
    }
    for name, written in rows.items():
        write_deltalake(lake.uri(name), pa.Table.from_pylist(written, schema=TABLES[name].schema))
    found = {sample.chain["chain_id"]: sample for sample in read_lake(lake)}
    for sample in samples:
        other = found[sample.chain["chain_id"]]
        assert (other.chain, other.case, other.links) == (sample.chain, sample.case, sample.links)
        ends = {edge[end] for edge in sample.case["edges"] for end in ("src", "dst")}
        # Shown or not, every fact between what the case shows.
        assert other.edges.keys() == {edge for edge, row in edges.items() if {row["src"], row["dst"]} <= ends}
        assert set(other.edges) >= {edge["edge_id"] for edge in sample.case["edges"]}
    of_lake = replace(found[samples[0].chain["chain_id"]], part="lake")
    assert measure([of_lake], max_steps=MAX_STEPS, is_sound=False).summary()["false_alarm_rate"] is None
