"""The demo from the wheel: every law that concerns a whole run."""

import hashlib
import json
import re

import mlflow
import pytest
from deltalake import DeltaTable, QueryBuilder

from tests.jobs.conftest import last_line

pytestmark = pytest.mark.slow


def ask(folder, query, *tables):
    builder = QueryBuilder()
    for name in tables:
        builder = builder.register(name, DeltaTable(str(folder / "lake" / "demo" / name)))
    found = builder.execute(query).read_all()
    columns = [column.to_pylist() for column in found.columns]
    return [dict(zip(found.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def files(folder):
    return {str(path): path.stat().st_mtime_ns for path in (folder / "lake").rglob("*") if path.is_file()}


def test_every_question_is_released_or_rejected_once(demo):
    place, _ = demo
    work = {r["q"] for r in ask(place.folder, "select question_id q from questions where role = 'work'", "questions")}
    released = [r["q"] for r in ask(place.folder, "select question_id q from release", "release")]
    closed = [r["q"] for r in ask(place.folder, "select key q from rejects where entity = 'question'", "rejects")]
    assert sorted([*released, *closed]) == sorted(work)


def test_the_demo_shows_every_fate(demo):
    place, _ = demo
    reasons = {row["reason"] for row in ask(place.folder, "select distinct reason from rejects", "rejects")}
    assert reasons >= {
        "MISSING_FIELD", "UNKNOWN_NODE", "SELF_LOOP", "NO_ANSWER", "ANSWER_NOT_AN_OPTION", "ANSWER_YES_NO_MAYBE",
        "ANSWER_NUMERIC", "ANSWER_ORDERING", "ANSWER_COMBINATION", "ANSWER_STATEMENT", "NO_ANSWER_LINK", "NO_CASE",
        "NO_PATH",
    }  # fmt: skip


def test_every_cited_edge_is_in_the_graph_as_claimed(demo):
    place, _ = demo
    steps = ask(place.folder, "select s['edges'] edges from (select unnest(steps) s from chains) a", "chains")
    edges = ask(place.folder, "select edge_id, src, relation, dst from edges", "edges")
    real = {tuple(edge.values()) for edge in edges}
    claims = [tuple(edge[name] for name in ("edge_id", "src", "relation", "dst")) for s in steps for edge in s["edges"]]
    assert len(claims) > 30
    assert [claim for claim in claims if claim not in real] == []


def test_a_template_chain_claims_nothing_but_its_edges(demo):
    place, _ = demo
    for row in ask(place.folder, "select reasoning, conclusion, answer, model from chains join questions"
                                 " on chains.question_id = questions.question_id", "chains", "questions"):  # fmt: skip
        assert row["conclusion"] == f"Dataset answer: {row['answer']}"
        assert row["model"].startswith("template/")
        assert not re.search(r"\btherefore\b|\bbecause\b|\brules? out\b", row["reasoning"], re.IGNORECASE)
    methods = ask(place.folder, "select distinct method, agrees from verdicts", "verdicts")
    assert methods == [{"method": "not_judged", "agrees": None}]


def test_a_second_run_finds_nothing_to_do_and_writes_nothing(demo):
    place, _ = demo
    before = files(place.folder)
    again = place.run("medreason-run-pipeline", "profile=demo")
    assert again.returncode == 0
    assert all(step["up_to_date"] for step in last_line(again)["steps"].values())
    assert files(place.folder) == before


def test_the_last_line_is_one_json_object(demo):
    _, done = demo
    summary = last_line(done)
    assert (
        summary["job"],
        summary["status"],
        summary["steps"]["assemble_release"]["tables"]["release"]["version"],
    ) == (
        "run_pipeline",
        "ok",
        0,
    )
    assert summary["rejects"]["NO_PATH"] > 0
    assert re.fullmatch(r"[0-9a-f]{32}", summary["mlflow_run_id"])


def test_mlflow_holds_a_parent_run_and_a_child_a_job(demo):
    place, done = demo
    client = mlflow.MlflowClient(f"sqlite:///{place.folder}/mlflow.db")
    parent = client.get_run(last_line(done)["mlflow_run_id"])
    assert parent.data.params["paths.max_hops"] == "4"
    query = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    children = {run.info.run_name: run for run in client.search_runs([parent.info.experiment_id], query)}
    assert set(children) == {
        "build_kg", "load_questions", "link_entities", "screen_questions", "find_paths", "generate_chains",
        "verify_chains", "assemble_release", "show_funnel",
    }  # fmt: skip
    artifacts = [
        a.path for job in ("build_kg", "assemble_release") for a in client.list_artifacts(children[job].info.run_id)
    ]
    assert {"graph_profile.json", "samples.json", "funnel.json"} <= set(artifacts)
    funnel = {name: n for name, n in children["assemble_release"].data.metrics.items() if name.startswith("funnel/")}
    assert funnel["funnel/work"] == funnel["funnel/released"] + sum(
        n for name, n in funnel.items() if "closed_" in name
    )
    paths = children["find_paths"]
    assert paths.data.metrics["find_paths/pairs_in"] > paths.data.metrics["find_paths/pairs_out"] > 0
    assert {each.dataset.name for each in paths.inputs.dataset_inputs} >= {"links", "nodes", "edges", "screened"}


def test_the_release_s_files_agree_with_its_table(demo):
    place, _ = demo
    export = place.folder / "lake/demo/export"
    lines = (export / "release.jsonl").read_text().splitlines()
    [counted] = ask(place.folder, "select count(*) n from release", "release")
    # The demo's questions are our own, so all may be printed.
    assert len(lines) == counted["n"] == len((export / "sft.jsonl").read_text().splitlines())
    assert "Not clinical advice" in (export / "card.md").read_text()
    stated = {
        each["name"]: each["sha256"] for each in json.loads((export / "croissant.json").read_text())["distribution"]
    }
    assert stated == {name: hashlib.sha256((export / name).read_bytes()).hexdigest() for name in stated}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("paths.max_hop=3",), "did you mean 'paths.max_hops'"),
        (("profile=real", "data=/nowhere"), "is not a file; give data=FOLDER"),
        (("profile=demo", "lake.root=/proc/lake"), "cannot be written to"),
        (("profile=local",), "kg.sources must name at least one source"),
    ],
)
def test_what_the_user_can_put_right_is_one_line_and_exit_code_2(place, arguments, said):
    done = place.run("medreason-build-kg", *arguments, "tracking.enabled=false")
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    assert said in line
    assert last_line(done)["status"] == "refused"


def test_help_names_what_the_job_reads_and_its_keys(place):
    done = place.run("medreason-find-paths", "--help")
    assert done.returncode == 0
    assert "reads screened, links, nodes, edges; writes paths" in done.stdout
    assert "paths.max_hops (4): Longest path, in edges." in done.stdout
