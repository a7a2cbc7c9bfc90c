"""The funnel shows what the steps wrote beside their tables."""

import json
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, write_deltalake

from conf.config import Config, LakeConfig
from conf.flow import step
from conf.lake import Lake, user_metadata
from conf.tables import QUESTIONS, SCREENED
from medreason_ray.review.funnel import funnel

FOUND = [["medqa/test", "any 8-gram", 300], ["medqa/test", "jaccard", 2]]


def lake_of(folder: Path, facts: dict[str, str]) -> Lake:
    """A lake with no question, whose screening left these facts."""
    lake = Lake(Config(lake=LakeConfig(root=str(folder))))
    for table, writer, told in ((QUESTIONS, "load_questions", {}), (SCREENED, "screen_questions", facts)):
        metadata = {"userMetadata": user_metadata(step(writer), table, "one", told)}
        properties = CommitProperties(custom_metadata=metadata)
        write_deltalake(
            lake.uri(table.name), pa.Table.from_pylist([], schema=table.schema), commit_properties=properties
        )
    return lake


def test_what_repeats_a_benchmark_is_shown_with_the_literal_rule_beside(tmp_path):
    sections = {one.title: one for one in funnel(lake_of(tmp_path, {"contamination": json.dumps(FOUND)}))}
    assert sections["questions that repeat a benchmark"].rows == tuple(map(tuple, FOUND))


def test_where_nothing_was_compared_nothing_is_said(tmp_path):
    titles = [one.title for one in funnel(lake_of(tmp_path, {}))]
    assert "questions" in titles
    assert "questions that repeat a benchmark" not in titles
