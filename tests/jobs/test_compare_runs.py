"""Two runs on a real MLflow server: what is logged, what a dead server costs, the comparison, and both pages in a browser."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from conf.fingerprint import resource_digest
from conf.flow import step
from conf.lake import Lake
from conf.loading import load
from conf.outcome import ConfigError, StageReport
from jobs import compare_runs
from jobs._run import execute
from jobs.tracking import Tracker
from tests.jobs.browser import seen_in_browser
from tests.jobs.mlflow_server import Server
from tests.medreason_ray.lakes import case, chain, link, question, rejected, released, write
from tests.processes import free_ports

pytestmark = pytest.mark.slow

[CLOSED] = free_ports(1)
LOST, CHANGED, SAME = "0" * 16, "1" * 16, "2" * 16


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("mlflow"))
    found.start()
    yield found
    found.stop()


def report(name: str, lake: Lake, units: int) -> StageReport:
    """What a step would report of the lake as it is."""
    found = step(name)
    tables = {table: lake.report(table) for table in found.writes}
    inputs = {table: lake.report(table) for table in found.reads if lake.report(table).version >= 0}
    return StageReport(
        step=name, unit=found.unit, fingerprint="f" * 16, up_to_date=False, inputs=inputs, tables=tables, units_in=units,
        units_out=units, rejected={}, merged={}, seconds=1.0,
    )  # fmt: skip


def tracked(server: Server, root: Path, *more: str) -> str:
    """A pipeline's run, logged as the jobs do, with a child for one of its steps; its id."""
    arguments = [f"lake.root={root}", f"tracking.uri={server.uri}", *more]
    config = load(arguments)
    with Tracker("run_pipeline", config, arguments).open() as parent:
        for name in ("link_entities", "build_cases", "generate_chains"):
            parent.record(report(name, Lake(config), 3))
        with parent.child("assemble_release").open() as child:
            child.record(report("assemble_release", Lake(config), 3))
    assert parent.run_id is not None
    return parent.run_id


@pytest.fixture(scope="module")
def runs(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two runs over one lake: the second found other links, wrote another text and lost a row."""
    root = tmp_path_factory.mktemp("lake")
    names = (LOST, CHANGED, SAME)
    tables = {
        "questions": [question(name) for name in names],
        "links": [link(name, "FEVER") for name in names],
        "cases": [case(name, "Fever -[is a phenotype of]-> Sepsis") for name in names],
        "chains": [chain(name, "1. Fever is a phenotype of sepsis.\n2. So it is sepsis.") for name in names],
        "release": [released(name, "1. Fever is a phenotype of sepsis.\n2. So it is sepsis.") for name in names],
        "rejects": [],
    }
    write(root, {"kg_version": "g"}, **tables)
    first = tracked(server, root, "paths.slack=0")
    other = [link(LOST, "CHILLS"), link(CHANGED, "CHILLS"), link(SAME, "FEVER")]
    text = "1. Chills are a phenotype of sepsis.\n2. So it is sepsis."
    write(
        root,
        {"kg_version": "g"},
        links=other,
        cases=[case(CHANGED, "Chills -[is a phenotype of]-> Sepsis"), tables["cases"][2]],
        chains=[chain(CHANGED, text), tables["chains"][2]],
        release=[released(CHANGED, text), tables["release"][2]],
        rejects=[rejected(LOST, detail="Chills and Sepsis")],
    )
    return first, tracked(server, root, "paths.slack=1")


@pytest.fixture(scope="module")
def compared(server: Server, runs: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("comparison")
    given = [f"run_a={runs[0]}", f"run_b={runs[1]}", f"compare.dir={folder}", f"tracking.uri={server.uri}"]
    assert execute("compare_runs", compare_runs.main, compare_runs.arguments(given)) == 0
    return folder, json.loads((folder / "comparison.json").read_text())


def test_each_run_is_read_at_the_versions_that_it_left(compared):
    _, found = compared
    assert found["counts"] == {"lost": 1, "added": 0, "changed": 1, "same": 1}
    rows = {row["question_id"]: row for row in found["rows"]}
    assert rows[LOST]["why"] == ["links"]
    assert rows[LOST]["closed"] == {"step": "build_cases", "reason": "NO_CASE", "detail": "Chills and Sepsis"}
    assert rows[CHANGED]["why"] == ["links", "paths", "text"]
    assert rows[CHANGED]["columns"] == ["reasoning"]


def test_the_difference_of_the_configurations_is_the_one_that_was_made(compared):
    _, found = compared
    assert found["config"] == [{"key": "paths.slack", "a": "0", "b": "1", "can_change_results": True}]


def test_the_comparison_is_an_artifact_of_a_run(server, compared):
    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name("medreason-ray")
    [run] = client.search_runs([experiment.experiment_id], "tags.`medreason.job` = 'compare_runs'")
    assert {each.path for each in client.list_artifacts(run.info.run_id)} >= {"comparison.html", "comparison.json"}
    assert run.data.metrics["compare/lost"] == 1


def test_a_pipeline_s_run_holds_what_its_jobs_logged(server, runs):
    run = MlflowClient(server.uri).get_run(runs[1])
    assert run.data.metrics["assemble_release/questions_in"] == 3
    assert {each.dataset.name for each in run.inputs.dataset_inputs} >= {"questions", "cases", "chains"}
    assert run.data.tags["assemble_release.release.version"] == "1"


def test_a_prompt_is_one_version_however_many_runs_ask_with_it(server, runs):
    client = MlflowClient(server.uri)
    digest = resource_digest("medreason_ray/stages/write_chains.md")
    tags = [client.get_run(run).data.tags["prompt.write_chains"] for run in runs]
    assert tags == [f"medreason-write_chains/1 {digest}"] * 2
    version = client.load_prompt("medreason-write_chains", version=1)
    assert version.tags["prompt_hash"] == digest
    assert {"question", "facts", "paths"} <= set(version.variables)


def test_a_server_that_comes_back_has_missed_nothing(tmp_path, capsys):
    server = Server(tmp_path)
    server.start()
    lake = write(tmp_path / "lake", questions=[question("q")])
    arguments = [f"lake.root={lake.root}", f"tracking.uri={server.uri}"]
    with Tracker("run_pipeline", load(arguments), arguments).open() as parent:
        server.stop()
        with parent.child("load_questions").open() as child:
            child.record(report("load_questions", lake, 1))
        server.start()
    said = capsys.readouterr().out
    client = MlflowClient(server.uri)
    [logged] = client.search_runs(["1"], f"tags.mlflow.parentRunId = '{parent.run_id}'")
    server.stop()
    assert logged.data.metrics["load_questions/rows_in"] == 1
    assert (logged.info.status, logged.data.params["paths.max_hops"]) == ("FINISHED", "4")
    assert [line.split("(")[0].strip() for line in said.splitlines() if line.startswith("MLflow")] == [
        "MLflow does not answer",
        "MLflow answers again: what waited is logged",
    ]


@pytest.mark.parametrize(
    "uri",
    [f"http://127.0.0.1:{CLOSED}", f"postgresql://u:p@127.0.0.1:{CLOSED}/runs", "nonsense://x"],
    ids=["server", "database", "scheme"],
)
def test_a_store_that_cannot_be_used_is_one_line_before_any_work(tmp_path, capsys, uri):
    config = [f"lake.root={tmp_path}", f"tracking.uri={uri}"]
    assert execute("show_funnel", lambda _: pytest.fail("it worked"), config) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "cannot be used" in line
    assert "tracking.enabled=false" in line


def test_a_run_that_nobody_knows_is_told(server, compared):
    with pytest.raises(ConfigError, match="there is no run"):
        compare_runs.read_run("f" * 32, load([f"tracking.uri={server.uri}"]))


def test_mlflow_s_compare_page_shows_both_runs_side_by_side(server, runs):
    experiment = MlflowClient(server.uri).get_run(runs[0]).info.experiment_id
    both = json.dumps(list(runs), separators=(",", ":"))
    address = f'{server.uri}/#/compare-runs?runs={both}&experiments=["{experiment}"]'
    with seen_in_browser(address) as page:
        # The page draws its plots first.
        page.wait_for_function("document.body.innerText.includes('assemble_release/release_rows')", timeout=120_000)
        text = page.locator("body").inner_text()
        assert "Comparing 2 Runs from 1 Experiment" in text
        assert "paths.slack" in text


def test_the_page_is_read_without_network_and_by_keyboard(compared):
    folder, _ = compared
    with seen_in_browser((folder / "comparison.html").as_uri()) as page:
        assert page.locator("details.row").count() == 2
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        assert page.locator("details.row[open]").inner_text().count("sepsis") >= 2
        page.keyboard.press("/")
        page.keyboard.type("NO_CASE")
        assert page.locator("details.row:visible").count() == 1
        assert page.locator("#count").inner_text() == "1 rows"
