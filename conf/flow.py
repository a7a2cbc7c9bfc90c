"""FLOW: the steps in order, each with its engine, the tables it reads and writes, its unit and the config it heeds.

`unit` is what the row law counts: units in = units out + rejected + merged. `unit_table` is the written table whose
distinct `unit_key` are the units out; where it is None the stage counts them itself (a raw line states a node or an
edge). `config` names what can change the result, as sections or single fields; together
with the fingerprints of the inputs and `code` it makes the step's own fingerprint. Raise `code` when the same input
would give another output.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the pipeline."""

    name: str
    engine: Literal["spark", "ray"]
    job: str
    doc: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    unit: Literal["row", "mention", "question", "pair", "chain"]
    unit_table: str | None
    unit_key: tuple[str, ...]
    config: tuple[str, ...]
    resources: tuple[str, ...] = ()
    """Bundled files the result follows from, as package/path."""
    asks_if: str = ""
    """A config property that says whether the step asks a model. Only where it does, `engine` and `prompts` count: another
    engine must not link anew what names alone have linked."""
    prompts: tuple[str, ...] = ()
    """Bundled prompts of a step that may ask."""
    code: int = 1


FLOW = (
    Step(
        name="build_kg",
        engine="spark",
        job="build_kg",
        doc="raw files -> nodes, edges, graph_profile (+ rejects)",
        reads=(),
        writes=("nodes", "edges", "graph_profile"),
        unit="row",
        unit_table=None,
        unit_key=(),
        config=("kg",),
        resources=("conf/relations.yaml", "conf/types.yaml", "conf/licences.yaml", "conf/generic.yaml"),
    ),
    Step(
        name="load_questions",
        engine="spark",
        job="load_questions",
        doc="raw files -> questions",
        reads=(),
        writes=("questions",),
        unit="row",
        unit_table="questions",
        unit_key=("question_id",),
        config=("questions.files", "questions.max_reject_share"),
        resources=("conf/licences.yaml",),
        code=2,
    ),
    Step(
        name="link_entities",
        engine="ray",
        job="link_entities",
        doc="questions, nodes (-> replies) -> mentions -> links",
        reads=("questions", "nodes"),
        writes=("mentions", "links"),
        unit="mention",
        unit_table="links",
        unit_key=("question_id", "side", "option_key", "node_id"),
        config=("links",),
        resources=(
            "medreason_ray/linking/assertion.yaml",
            "medreason_ray/linking/english_words.txt",
            "medreason_ray/linking/numbers.yaml",
            "medreason_ray/linking/synonyms.txt",
        ),
        asks_if="links.asks",
        prompts=("medreason_ray/stages/extract_mentions.md", "medreason_ray/stages/choose_nodes.md"),
        code=2,
    ),
    Step(
        name="screen_questions",
        engine="spark",
        job="screen_questions",
        doc="questions, mentions, links -> screened",
        reads=("questions", "mentions", "links"),
        writes=("screened",),
        unit="question",
        unit_table="screened",
        unit_key=("question_id",),
        config=("release.purpose", "questions.benchmarks", "screen"),
        resources=("kg_spark/screening/common_words.txt",),
        code=3,
    ),
    Step(
        name="find_paths",
        engine="spark",
        job="find_paths",
        doc="screened, links, nodes, edges -> index -> paths",
        reads=("screened", "links", "nodes", "edges"),
        writes=("paths",),
        unit="pair",
        unit_table="paths",
        unit_key=("question_id", "side", "option_key", "source", "target"),
        config=("paths",),
        resources=("kg_spark/paths/ranker.json",),
        code=3,
    ),
    Step(
        name="build_cases",
        engine="spark",
        job="find_paths",
        doc="screened, questions, links, paths, nodes, edges -> cases",
        reads=("screened", "questions", "links", "paths", "nodes", "edges"),
        writes=("cases",),
        unit="question",
        unit_table="cases",
        unit_key=("question_id",),
        config=("cases",),
        code=4,
    ),
    Step(
        name="generate_chains",
        engine="ray",
        job="generate_chains",
        doc="cases, nodes -> replies -> chains, verdicts",
        reads=("cases", "nodes"),
        writes=("chains", "verdicts"),
        unit="question",
        unit_table="chains",
        unit_key=("question_id",),
        # The target, for the rounds of one are not those of another (conf.rounds).
        config=("engine", "chains", "verify", "judging", "links.min_chars", "release.target_rows"),
        resources=(
            "medreason_ray/stages/prune_paths.md",
            "medreason_ray/stages/write_chains.md",
            "medreason_ray/stages/write_chains_text.md",
            "medreason_ray/stages/answer_blind.md",
            "medreason_ray/stages/judge_answers.md",
            "medreason_ray/linking/english_words.txt",
            "medreason_ray/linking/synonyms.txt",
        ),
        code=4,
    ),
    Step(
        name="verify_chains",
        engine="spark",
        job="verify_chains",
        doc="chains, cases, questions, links, nodes, edges -> checks",
        reads=("chains", "cases", "questions", "links", "nodes", "edges"),
        writes=("checks",),
        unit="chain",
        unit_table="checks",
        unit_key=("chain_id",),
        config=("chains.format", "chains.max_steps", "chains.keep_paths", "paths.max_hops"),
        resources=("kg_spark/verification/lexicon.yaml",),
        code=6,
    ),
    Step(
        name="assemble_release",
        engine="spark",
        job="assemble_release",
        doc="questions, screened, cases, chains, verdicts, checks, links, nodes, edges -> release, preference_pairs (+ files)",
        reads=("questions", "screened", "cases", "chains", "verdicts", "checks", "links", "nodes", "edges"),
        writes=("release", "preference_pairs"),
        unit="question",
        unit_table="release",
        unit_key=("question_id",),
        config=("release",),
        resources=("conf/licences.yaml", "conf/relations.yaml", "kg_spark/verification/english.yaml"),
        code=7,
    ),
)

_BY_NAME = {step.name: step for step in FLOW}
_WRITER = {table: step for step in FLOW for table in step.writes}


def step(name: str) -> Step:
    """The step of that name.

    Raises:
        KeyError: there is none.
    """
    return _BY_NAME[name]


def writer(table: str) -> Step | None:
    """The step that writes a table; None for `replies` and `rejects`, which many do, and `node_vectors`."""
    return _WRITER.get(table)


def jobs() -> dict[str, tuple[Step, ...]]:
    """The steps of each job, in the order of the flow."""
    grouped: dict[str, tuple[Step, ...]] = {}
    for each in FLOW:
        grouped[each.job] = (*grouped.get(each.job, ()), each)
    return grouped
