"""What readers refuse: a table that is not there, of another schema version, or torn between two runs."""

import dataclasses

import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from conf.config import Config, LakeConfig
from conf.flow import step
from conf.lake import Lake, user_metadata
from conf.loading import load
from conf.outcome import ConfigError, ContractError
from conf.tables import TABLES


@pytest.fixture
def lake(tmp_path):
    return Lake(load([f"lake.root={tmp_path}/lake"]))


def put(lake, name, fingerprint, version=None, **facts):
    table = dataclasses.replace(TABLES[name], version=version or TABLES[name].version)
    text = user_metadata(step("link_entities"), table, fingerprint, facts)
    write_deltalake(
        lake.uri(name),
        table.schema.empty_table(),
        mode="overwrite",
        commit_properties=CommitProperties(custom_metadata={"userMetadata": text}),
    )


def test_a_missing_table_names_the_job_that_writes_it(lake):
    with pytest.raises(ContractError, match="table 'links'.*run link_entities first"):
        lake.checked("links", reader="screen_questions")


def test_a_table_of_another_schema_version_is_refused(lake):
    put(lake, "mentions", "a", version=7)
    put(lake, "links", "a", version=7)
    with pytest.raises(ContractError, match="schema version 7, this software reads version 2: run link_entities again"):
        lake.checked("links", reader="screen_questions")


def test_a_table_that_lacks_a_column_is_refused(lake):
    put(lake, "mentions", "a")
    put(lake, "links", "a")
    table = DeltaTable(lake.uri("links"))
    text = user_metadata(step("link_entities"), TABLES["links"], "a", {})
    write_deltalake(
        table,
        TABLES["links"].schema.empty_table().drop_columns(["score"]),
        mode="overwrite",
        schema_mode="overwrite",
        commit_properties=CommitProperties(custom_metadata={"userMetadata": text}),
    )
    with pytest.raises(ContractError, match="lacks column 'score'"):
        lake.checked("links", reader="screen_questions")


def test_siblings_of_two_runs_are_refused(lake):
    put(lake, "mentions", "a")
    put(lake, "links", "b")
    with pytest.raises(ContractError, match="'links' and 'mentions' come from different runs"):
        lake.checked("links", reader="screen_questions")


def test_maintenance_keeps_a_table_up_to_date(lake):
    put(lake, "mentions", "a")
    put(lake, "links", "a")
    DeltaTable(lake.uri("links")).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert lake.is_current(step("link_entities"), "a")


def test_somebody_else_s_write_does_not(lake):
    put(lake, "mentions", "a")
    put(lake, "links", "a")
    write_deltalake(lake.uri("links"), TABLES["links"].schema.empty_table(), mode="overwrite")
    assert not lake.is_current(step("link_entities"), "a")


@pytest.mark.parametrize("root", ["/proc/lake", "/dev/null/lake"])
def test_a_lake_that_cannot_be_written_to_is_refused_before_any_work(root):
    with pytest.raises(ConfigError, match="cannot be written to"):
        Lake(Config(lake=LakeConfig(root=root))).check_writable()


JUDGE = ("judge.name=http", "judge.model=m")


def test_a_failed_request_makes_its_step_stale_only_when_retrying(tmp_path):
    stale = {("engine.retry=failed",), ("judge.retry=failed", *JUDGE)}
    for retry in (("engine.retry=none",), ("judge.retry=failed",), JUDGE, *stale):
        current = retry not in stale
        lake = Lake(load([f"lake.root={tmp_path}/lake", *retry]))
        for name in ("chains", "verdicts"):
            text = user_metadata(step("generate_chains"), TABLES[name], "a", {"failed": "3"})
            write_deltalake(
                lake.uri(name),
                TABLES[name].schema.empty_table(),
                mode="overwrite",
                commit_properties=CommitProperties(custom_metadata={"userMetadata": text}),
            )
        assert lake.is_current(step("generate_chains"), "a") is current


@pytest.mark.parametrize(
    ("root", "said"),
    [("", "lake.root must be given"), ("/Volumes/main/medreason/lake", "give the cloud URI of an external location")],
)
def test_a_root_where_no_commit_can_be_atomic_is_refused(root, said):
    with pytest.raises(ConfigError, match=said):
        Lake(Config(lake=LakeConfig(root=root))).check_writable()


def test_who_reads_what_failed_before_goes_on_with_what_came_on_asking_again(lake):
    found = []
    for failed in ("3", "1", "0"):
        for name in ("mentions", "links"):
            put(lake, name, "a", failed=failed)
        put(lake, "questions", "q")
        found.append(lake.fingerprint(step("screen_questions")))
    assert len(set(found)) == 3
