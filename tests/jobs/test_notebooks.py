"""Every notebook runs, with stand-ins for what Databricks brings, over the demo's lake."""

import ast

import pytest

from tests.jobs.conftest import ROOT, copied
from tests.jobs.notebook import cells, run

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


@pytest.fixture(scope="module")
def lake(demo, tmp_path_factory):
    """The demo's lake, a copy: notebooks run jobs."""
    return copied(demo[0].folder / "lake" / "demo", tmp_path_factory.mktemp("notebooks") / "lake")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing(path):
    trees = [ast.parse(cell) for cell in cells(path) if not cell.startswith("# MAGIC")]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert [node.lineno for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)] == []


@pytest.mark.slow
def test_the_graph_is_built_and_drawn(spark, lake):
    seen = run(
        ROOT / "notebooks/01_build_graph.py", profile="demo", lake_root=str(lake), overrides="tracking.enabled=false"
    )
    assert sum(row["count"] for row in seen["shown"][0]) == seen["nodes"].count()
    assert "<svg" in seen["html"][0]


@pytest.mark.slow
def test_one_question_is_followed_to_its_chain(spark, lake):
    seen = run(ROOT / "notebooks/02_one_question.py", lake_root=str(lake))
    assert all(seen["shown"][:4])
    assert seen["html"][0].count("<line") > 0


@pytest.mark.slow
def test_a_pipeline_that_has_run_has_nothing_to_generate(spark, lake, capsys):
    overrides = "tracking.enabled=false"
    seen = run(ROOT / "notebooks/03_generate_at_scale.py", profile="demo", lake_root=str(lake), overrides=overrides)
    assert seen["shown"][0]
    assert "generate_chains: up to date" in capsys.readouterr().out


@pytest.mark.slow
def test_the_rejects_are_read_with_their_questions(spark, lake):
    seen = run(ROOT / "notebooks/04_read_rejects.py", lake_root=str(lake))
    assert seen["shown"][-1]
    assert all(row["question"] for row in seen["shown"][-1])


@pytest.mark.slow
def test_two_lakes_are_compared(spark, lake, tmp_path):
    overrides = f"tracking.uri=sqlite:///{tmp_path}/mlflow.db"
    given = {"run_a": str(lake), "run_b": str(lake), "folder": str(tmp_path), "overrides": overrides}
    seen = run(ROOT / "notebooks/05_compare_runs.py", **given)
    assert seen["found"]["counts"]["same"] == spark.read.format("delta").load(f"{lake}/release").count()
    assert "Run A and run B, row by row" in seen["html"][0]
