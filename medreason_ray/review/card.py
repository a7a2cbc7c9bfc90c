"""A release -> card.md: what the dataset is, how it came to be, what it is not for.

The front matter is that of a dataset's README.md on the Hugging Face Hub, so the file can be put there as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import yaml
from jinja2 import Environment, StrictUndefined

from conf.config import Config, ReleaseConfig
from conf.lake import Lake
from medreason_ray.review.funnel import Section, arms_sections, funnel
from medreason_ray.review.released import example, released
from medreason_ray.review.sql import ask

NAME = "Reasoning chains over a medical knowledge graph"

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
# What the Hub knows by name; an expression of several, or what is unknown, is `other` there.
_HUB = frozenset(
    {
        "apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that the card and the metadata tell of a release."""

    release: ReleaseConfig
    rows: int
    strict: int
    files: Mapping[str, int]
    """Rows of each file."""
    fingerprint: str
    models: tuple[str, ...]
    judges: tuple[str, ...]
    same_model: int
    """Rows that were judged by the model that wrote them."""
    format: str
    datasets: tuple[str, ...]
    by_id: tuple[str, ...]
    """Datasets whose questions are given by id."""
    sources: tuple[str, ...]
    licences: tuple[str, ...]
    facts: Mapping[str, str]
    funnel: tuple[Section, ...]
    released: tuple[Section, ...]
    arms: tuple[Section, ...] = ()
    """Blind answers arm by arm, with intervals, and what they are worth; empty where nobody was asked."""
    example: Mapping[str, str] | None = None


def tell(config: Config, lake: Lake, files: Mapping[str, int], fingerprint: str) -> Told:
    """What the lake says of its release.

    Args:
        config: the run's.
        lake: with the table `release` and those before it.
        files: rows of each exported file.
        fingerprint: of the step that wrote the release.
    """
    graph, written = lake.commit("nodes"), lake.commit("release")
    [(rows, strict, same)] = ask(lake, ("release",), _COUNTS)
    return Told(
        release=config.release,
        rows=int(str(rows)),
        strict=int(str(strict or 0)),
        files=files,
        fingerprint=fingerprint,
        models=_column(lake, "select distinct model v from release where model is not null order by v"),
        judges=_column(lake, "select distinct judge_model v from release where judge_model is not null order by v"),
        same_model=int(str(same or 0)),
        format=config.chains.format,
        datasets=_column(lake, "select distinct dataset_name v from release order by v"),
        by_id=_column(lake, "select distinct dataset_name v from release where question is null order by v"),
        sources=tuple(source.name for source in config.kg.sources),
        licences=_column(lake, "select distinct v from (select unnest(licences) v from release) order by v"),
        facts={**(graph.facts if graph else {}), **(written.facts if written else {})},
        funnel=tuple(funnel(lake)),
        arms=tuple(arms_sections(lake)),
        released=tuple(released(lake)),
        example=example(lake),
    )


def card(told: Told) -> str:
    """The card as Markdown."""
    text = (resources.files("medreason_ray.review") / "card.md.jinja").read_text(encoding="utf-8")
    # Markdown, not HTML: nothing is escaped, and nothing from the data is interpreted.
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701
    environment.filters["cell"] = _cell
    return environment.from_string(text).render(told=told, name=NAME, front=front_matter(told))


def front_matter(told: Told) -> str:
    """The YAML between the two lines of dashes, without them."""
    content = {
        "pretty_name": NAME,
        **_hub_licence(told.licences),
        "language": ["en"],
        "task_categories": ["question-answering", "text-generation"],
        "size_categories": [next((name for limit, name in _SIZES if told.rows < limit), "1M<n<10M")],
        "tags": _tags(told),
        "configs": _configs(told),
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000)


def _tags(told: Told) -> list[str]:
    tags = ["medical", "reasoning", "chain-of-thought", "knowledge-graph", "croissant"]
    return [*tags, "not-for-training"] if told.release.purpose == "evaluation" else tags


def _configs(told: Told) -> list[dict[str, object]]:
    """What `load_dataset` offers: the files that hold rows."""
    offered = (("release", "release.parquet"), ("sft", "sft.jsonl"), ("preference_pairs", "preference_pairs.parquet"))
    split = "test" if told.release.purpose == "evaluation" else "train"
    found: list[dict[str, object]] = [
        {"config_name": name, "data_files": [{"split": split, "path": path}]}
        for name, path in offered
        if told.files.get(path)
    ]
    return [found[0] | {"default": True}, *found[1:]] if found else []


def _hub_licence(licences: Sequence[str]) -> dict[str, object]:
    """The Hub's `license`: the one licence, else `other` with a pointer to the table below."""
    named = [each.lower() for each in licences]
    if len(named) == 1 and named[0] in _HUB:
        return {"license": named[0]}
    return {"license": "other", "license_name": "several-see-below", "license_link": "#licences"}


def _cell(value: object) -> str:
    """A table's cell: no bar or line break of the data's own ends it."""
    return str(value).replace("|", "\\|").replace("\n", " ")


def _column(lake: Lake, query: str) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in ask(lake, ("release",), query))


_COUNTS = """select count(*), sum(case when tier = 'strict' then 1 else 0 end), sum(case when same_model then 1 else 0 end)
    from release"""
