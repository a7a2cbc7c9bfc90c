"""arguments -> tables of the ranking benchmark, its line of JSON and, where asked for, a new ranker.json."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from conf.outcome import ConfigError
from kg_spark.paths.rank_data import GoldPair, MechanismGraph, read_mechanisms
from kg_spark.paths.rank_evaluation import (
    METRICS,
    SCHEMES,
    SEARCH,
    SEARCHES,
    Bench,
    Order,
    interval,
    learn_all,
    learnt,
    lower,
    reachable,
    strata,
    summary,
)
from kg_spark.paths.rank_features import Ranker
from kg_spark.paths.rank_learning import MEASURE_LOSS, MIN_PAIRS, PATTERN_LOSS, write_model
from kg_spark.paths.ranking import DIVERSITY, load_model, load_ranker

Say = Callable[[str], None]
Rows = dict[str, dict[str, dict[str, float]]]

USAGE = """usage: python -m jobs.rank_benchmark data=FOLDER [key=value …]

  data       folder with nodes.tsv and edges.tsv.gz (DrugMechDB)
  gold       file of gold paths, one JSON record a line ('': data/gold_paths.jsonl.gz)
  learn      true: learn in folds that share no drug, no disease, neither, and rank each fold's pairs (false)
  noise      noise edges a curated edge, of the same types and degrees (0)
  folds      folds of drugs and of diseases (5)
  schemes    what folds do not share: any of drug, disease, both ([drug,disease,both])
  seed       of folds, noise, random order and intervals (0)
  diversity  logits a path loses for each better one of its relation sequence (shipped default)
  model      ranker to score ('': the one that ships)
  write      where to write a ranker learnt from all pairs; needs learn=true ('': nowhere)"""


@dataclass(kw_only=True)
class Options:
    """The arguments, as in USAGE."""

    data: str = "data/drugmechdb"
    gold: str = ""
    learn: bool = False
    noise: int = 0
    folds: int = 5
    schemes: list[str] = field(default_factory=lambda: list(SCHEMES))
    seed: int = 0
    diversity: float = DIVERSITY
    model: str = ""
    write: str = ""

    @property
    def gold_file(self) -> Path:
        """The gold file, in `data` unless it is named."""
        return Path(self.gold) if self.gold else Path(self.data) / "gold_paths.jsonl.gz"


def options(arguments: Sequence[str]) -> Options:
    """The options.

    Raises:
        ConfigError: an argument is not key=value, unknown, of the wrong type or out of range, or a file is missing.
    """
    known = [field.name for field in fields(Options)]
    for argument in arguments:
        if "=" not in argument or argument.startswith("-"):
            raise ConfigError(f"argument '{argument}' is not key=value; try --help")
        key, _, value = argument.partition("=")
        if key not in known:
            raise ConfigError(f"unknown key '{key}'; known are {', '.join(known)}")
        if key == "schemes" and not value.startswith("["):
            raise ConfigError(f"schemes takes a list: say 'schemes=[{value}]'")
    try:
        merged = OmegaConf.merge(OmegaConf.structured(Options), OmegaConf.from_dotlist(list(arguments)))
        given = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    assert isinstance(given, Options)
    _check(given)
    return given


def _check(given: Options) -> None:
    if given.folds < 2 or given.noise < 0 or given.seed < 0 or not 0 <= given.diversity < math.inf:
        raise ConfigError("folds must be at least 2, noise, seed and diversity at least 0")
    if not set(given.schemes) <= set(SCHEMES):
        raise ConfigError(f"schemes are of {', '.join(SCHEMES)}")
    if given.write and not given.learn:
        raise ConfigError("write= needs learn=true")
    if not Path(given.write).parent.is_dir():
        raise ConfigError(f"{Path(given.write).parent} does not exist; write= names a file in a folder that does")
    for file in (Path(given.data) / "nodes.tsv", Path(given.data) / "edges.tsv.gz", given.gold_file):
        if not file.is_file():
            raise ConfigError(
                f"{file} does not exist; data= is a folder with DrugMechDB's files, gold= a file of gold paths"
            )


def report(given: Options, say: Say) -> None:
    """Run the benchmark: tables by `say`, the last line one JSON object."""
    model = load_ranker(Path(given.model) if given.model else None)
    graph, pairs = read_mechanisms(Path(given.data), given.gold_file)
    if not pairs:
        raise ConfigError(f"{given.gold_file} has no pair with a path from drug to disease")
    if given.noise:
        graph = graph.with_noise(given.noise, given.seed)
    rows: Rows = {}
    bench = Bench(graph, pairs)
    benches = {"all_edges": bench, "without_own": Bench(graph, pairs, without_own=True)}
    say(
        f"{len(pairs):,} pairs, {len(graph.src):,} edges, {reachable(bench):.3f} of the pairs have a gold path in their pool"
    )
    trained = learnt(bench, given.schemes, given.folds, given.seed, say) if given.learn else {}
    orders_of = partial(_orders, model=model, trained=trained, given=given)
    for way, one in benches.items():
        rows[way] = _rows(one, orders_of(one), given.seed, say if way == "all_edges" else None)
    figures = {name: lower(*[rows[way][name] for way in benches]) for name in rows["all_edges"]}
    _table("lower of the two ways to count degrees", METRICS, figures, say)
    searches = _searches(graph, pairs, orders_of, say)
    seen = _seen(load_model(Path(given.model) if given.model else None)["made"], pairs, say)
    if given.write:
        _write(Path(given.write), bench, given, figures)
    about = {"pairs": len(pairs), "reachable": round(reachable(bench), 4), "shipped_has_seen": seen}
    say(json.dumps({**figures["shipped"], **about, "rankers": figures, "searches": searches, **rows}))


def _seen(made: Mapping[str, Any], pairs: Sequence[GoldPair], say: Say) -> float | None:
    """The share of the pairs that the ranker has learnt from, whatever file they stand in; None where it does not say."""
    if "pairs_seen" not in made:
        say("shipped does not say which pairs it has learnt from: its figures may be no test")
        return None
    seen = set(made["pairs_seen"])
    share = sum(pair.key in seen for pair in pairs) / len(pairs)
    if share:
        say(f"shipped has learnt from {share:.1%} of these pairs: its figures are no test, learn=true's are")
    return round(share, 4)


def _searches(
    graph: MechanismGraph, pairs: Sequence[GoldPair], orders_of: Callable[[Bench], Mapping[str, Order]], say: Say
) -> dict[str, dict[str, Any]]:
    """What every ranker does with what the other searches find, and the share of pairs they find a gold path of."""
    searches: dict[str, dict[str, Any]] = {}
    for name, config in SEARCHES.items():
        bench = Bench(graph, pairs, config=config)
        share = reachable(bench)
        rankers = {ranker: summary(bench.outcomes(order)) for ranker, order in orders_of(bench).items()}
        searches[name] = {"reachable": round(share, 4), "rankers": rankers}
        reach = f"semantics {config.semantics}, slack {config.slack}, {config.max_hops} hops, degrees over all edges"
        _table(f"{name} ({reach}): {share:.3f} of the pairs have a gold path in their pool", METRICS, rankers, say)
    return searches


def _orders(bench: Bench, model: Ranker, trained: Mapping[str, Sequence[Ranker]], given: Options) -> dict[str, Order]:
    """Every ranker there is, by name; `trained` holds one for each pool."""
    return {
        **bench.baselines(given.seed),
        "shipped": bench.by_model(lambda _: model, given.diversity),
        **{name: bench.by_model(rankers.__getitem__, given.diversity) for name, rankers in trained.items()},
    }


def _rows(bench: Bench, orders: Mapping[str, Order], seed: int, say: Say | None) -> dict[str, dict[str, float]]:
    """The summary of each ranker; intervals and strata are said where `say` is given."""
    groups = strata(bench)
    drugs = [pool.pair.drug for pool in bench.pools]
    found: dict[str, dict[str, float]] = {}
    spans: dict[str, dict[str, list[float]]] = {}
    parts: dict[str, dict[str, float]] = {}
    for name, order in orders.items():
        outcomes = bench.outcomes(order)
        found[name] = summary(outcomes)
        spans[name] = interval(outcomes, drugs, seed)
        parts[name] = {
            group: summary([outcomes[number] for number in numbers])["hit_at_10"] for group, numbers in groups.items()
        }
    if say:
        _table("degrees over all edges", METRICS, found, say)
        _table("95 % intervals over drugs", METRICS, spans, say)
        sizes = ", ".join(f"{group}: {len(numbers):,} pairs" for group, numbers in groups.items())
        _table(f"Hit@10 by the drug's neighbours ({sizes})", list(groups), parts, say)
    return found


def _table(title: str, columns: Sequence[str], rows: Mapping[str, Mapping[str, Any]], say: Say) -> None:
    say(f"\n{title}\n{'':20}" + "".join(f"{column:>15}" for column in columns))
    for name, row in rows.items():
        say(f"{name:20}" + "".join(f"{_shown(row[column]):>15}" for column in columns))


def _shown(value: float | list[float]) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "–".join(f"{end:.3f}" for end in value)


def _write(file: Path, bench: Bench, given: Options, figures: Mapping[str, Mapping[str, float]]) -> None:
    """Learn from all pairs and write the ranker with how it was made."""
    weights, texts = learn_all(bench)
    made = {
        "version": time.strftime("%Y.%m.%d", time.gmtime()),
        "data": "DrugMechDB gold paths, CC0-1.0 (https://github.com/SuLab/DrugMechDB)",
        "gold_sha256": hashlib.sha256(given.gold_file.read_bytes()).hexdigest(),
        "pairs": len(bench.pools),
        "pairs_seen": sorted(pool.pair.key for pool in bench.pools),
        "command": f"python -m jobs.rank_benchmark data=DIR learn=true noise={given.noise} folds={given.folds} write=FILE",
        "model": "conditional logit over each pair's pool, L2, L-BFGS (kg_spark/paths/rank_learning.py)",
        "settings": {"pattern_loss": PATTERN_LOSS, "measure_loss": MEASURE_LOSS, "min_pairs": MIN_PAIRS, **SEARCH},
        "seed": given.seed,
        "figures": {
            f"learnt_{scheme}": {name: figures[f"learnt_{scheme}"][name] for name in METRICS}
            for scheme in given.schemes
        },
    }
    write_model(file, weights, texts, made)
