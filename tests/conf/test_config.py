"""Laws of the configuration: what is wrong is one line, what is operational changes no fingerprint."""

import dataclasses
from pathlib import Path

import pytest

from conf.config import Config
from conf.fingerprint import fingerprint
from conf.flow import step
from conf.loading import keys, load, profiles
from conf.outcome import ConfigError


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("paths.max_hop=3", "did you mean 'paths.max_hops'"),
        ("paths.max_hops=99", "above 8"),
        ("paths.max_hops=0", "below 1"),
        ("paths.max_hops=many", "could not be converted to Integer"),
        ("paths.engine=neo4j", "expected one of"),
        ("judge.model=m", "judge.name=template reads nothing: set judge.name"),
        ("profile=nowhere", "there are cluster, databricks, demo, local, real"),
        ("profile=nowhere.yaml", "does not exist"),
        ("--max-hops", "is not key=value"),
        ("kg.sources=[{name: a}]", "edges"),
        ("questions.files=[{path: a.jsonl}]", "dataset"),
    ],
)
def test_a_wrong_argument_is_one_line_that_says_what_to_do(argument, said):
    with pytest.raises(ConfigError) as found:
        load([argument])
    text = str(found.value)
    assert said in text
    assert "\n" not in text


def test_lists_and_maps_pass_through_the_dotlist():
    config = load(["kg.sources=[{name: mine, nodes: n.tsv, edges: e.tsv}]", "spark.conf={a.b: c}", "kg.xrefs=[x.tsv]"])
    assert (config.kg.sources[0].name, config.kg.xrefs, config.spark.conf) == ("mine", ["x.tsv"], {"a.b": "c"})


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_loads(profile):
    assert load([f"profile={profile}", "data=/data"]).profile == profile


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        (["chains.max_steps=15"], 15),
        (["chains.max_steps=2", "chains.keep_paths=3", "paths.max_hops=4"], 12),
        (["chains.max_steps=15", "chains.format=text"], 40),
        (["chains.format=text", "chains.keep_paths=11", "paths.max_hops=4"], 44),
    ],
)
def test_the_longest_chain_is_the_writers_or_that_by_rule(arguments, steps):
    assert load(arguments).longest_chain == steps


def test_every_key_has_a_sentence():
    assert [key for key, _, doc in keys() if not doc] == []


def test_an_operational_field_changes_no_fingerprint():
    base = load(["profile=demo"])
    other = load(["profile=demo", "spark.shuffle_partitions=99", "engine.actors=7", "ray.batch_rows=3", "lake.root=x"])
    assert _fingerprint(base) == _fingerprint(other)


def test_any_other_field_does():
    base = load(["profile=demo"])
    other = load(["profile=demo", "chains.seed=1"])
    assert _fingerprint(base) != _fingerprint(other)


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        (["judge.temperature=0.1", "judge.max_model_len=4096"], False),
        (["judge.name=http", "judge.model=m"], True),
        (["judge.name=http", "judge.model=m", "verify.arms=[]"], False),
    ],
    ids=["no judge is named", "one is", "nothing is asked of it"],
)
def test_a_judge_counts_where_it_is_asked(settings, counts):
    arms = [each for each in settings if each.startswith("verify")]
    assert (_fingerprint(load(arms)) != _fingerprint(load(settings))) is counts


@pytest.mark.parametrize(
    ("setting", "counts"),
    [
        ("judge.model=n", True),
        ("judge.temperature=0.1", True),
        ("judge.http.schema=none", True),
        ("judge.http.base_url=http://x/v1", False),
        ("judge.vllm.dtype=float32", False),
        ("judge.concurrency=99", False),
    ],
)
def test_of_a_judge_counts_what_can_change_a_verdict(setting, counts):
    named = ["judge.name=http", "judge.model=m"]
    assert (_fingerprint(load(named)) != _fingerprint(load([*named, setting]))) is counts


def test_a_writer_judges_itself_only_where_that_is_said():
    written, named = ["engine.name=http", "engine.model=m"], ["judge.name=http", "judge.model=n"]
    for neither in ([], ["judge.name=http"]):
        with pytest.raises(ConfigError, match="engine.name=http writes and no other model is named to answer blind"):
            load([*written, *neither]).check_judge()
    for said in (named, ["verify.judge=writer"], ["verify.judge=writer", *named], ["verify.arms=[]"]):
        load([*written, *said]).check_judge()
    assert load([*written, *named]).judging.model == "n"
    assert load([*written, *named, "verify.judge=writer"]).judging is None


def test_a_file_counts_by_its_content_not_its_folder(tmp_path: Path):
    prints = []
    for folder, text in (("a", "id\tx\n"), ("b", "id\tx\n"), ("c", "id\ty\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "edges.tsv").write_text(text)
        config = load([f"kg.sources=[{{name: s, edges: {tmp_path / folder / 'edges.tsv'}}}]"])
        prints.append(fingerprint(step("build_kg"), config, {}))
    assert prints[0] == prints[1] != prints[2]


def test_another_list_of_benchmarks_screens_again_and_loads_nothing():
    base, other = load(["profile=demo"]), load(["profile=demo", "questions.benchmarks=[medqa]", "screen.jaccard=0.6"])
    changed = {name: fingerprint(step(name), base, {}) != fingerprint(step(name), other, {}) for name in _BEFORE_PATHS}
    assert changed == {"load_questions": False, "link_entities": False, "screen_questions": True}


_BEFORE_PATHS = ("load_questions", "link_entities", "screen_questions")


def test_configs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load([]).paths.max_hops = 3  # type: ignore[misc]


def _fingerprint(config: Config) -> str:
    return fingerprint(step("generate_chains"), config, {"cases": "1"})


def test_a_model_folder_counts_by_content_wherever_it_lies(tmp_path):
    for name, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(content)
    links = [load([f"links.embedding.model={tmp_path}/{name}"]) for name in "abc"]
    a, b, c = (fingerprint(step("link_entities"), config, {}) for config in links)
    assert a == b
    assert a != c
