"""Benchmark (no engine): annotated stems, hard sentences, names with typos -> how well names are linked to nodes.

`data=DIR` is the folder with hetionet/, drugmechdb/ and qa/; other keys are those of `links`. The last line of the output holds
{set: {method: {node_precision, node_recall, node_f1, mention_f1, …}}} beside the job's own keys.
"""

from pathlib import Path

from conf.outcome import ConfigError
from jobs._run import Run, run_job
from jobs._say import say_table
from medreason_ray.linking.benchmark import by_linker, by_plain_names, by_typo, read_graph, read_hard, read_stems, score
from medreason_ray.linking.linker import Linker
from medreason_ray.linking.scoring import METRICS, Score


def main(run: Run) -> None:
    """Score every set by plain names and by the linker as configured.

    Raises:
        ConfigError: `data` is not given or lacks a file.
    """
    if not run.config.data:
        raise ConfigError("data= is missing: name the folder with hetionet/, drugmechdb/ and qa/")
    if run.config.links.asks:
        raise ConfigError(
            "links.extractor and links.choice may not ask a model here: the benchmark scores names, rules and typos"
        )
    data = Path(run.config.data)
    nodes = read_graph(data)
    method = run.config.links.embedding.encoder
    finders = {"plain_names": by_plain_names(nodes), method: by_linker(Linker(nodes, run.config.links))}
    texts = {
        "dev": list(read_stems(data, "dev")),
        "frozen": list(read_stems(data, "frozen")),
        "hard": list(read_hard()),
    }
    scores = {name: {how: score(each, find) for how, find in finders.items()} for name, each in texts.items()}
    found = {name: {how: each.summary() for how, each in by.items()} for name, by in scores.items()}
    rows = [
        [name, how, *[f"{figures[m]:.3f}" for m in METRICS]]
        for name, by in found.items()
        for how, figures in by.items()
    ]
    say_table("links against gold", ["set", "method", *METRICS], rows)
    _by_kind({name: by[method] for name, by in scores.items()})
    embedding = run.config.links.embedding
    perturbed = by_typo(data, embedding) if embedding.encoder != "none" else None
    if perturbed:
        say_table(
            "names with one typo that come first within their type",
            ["type", "share"],
            list(perturbed["by_type"].items()),
        )
    run.tracker.metrics(
        {f"links/{n}.{h}.{m}": v for n, by in found.items() for h, each in by.items() for m, v in each.items()}
    )
    run.more |= {**found, **({"perturbed": {method: perturbed}} if perturbed else {})}


def _by_kind(scores: dict[str, Score]) -> None:
    kinds = sorted({kind for each in scores.values() for kind in each.precision_by()})
    by = {name: each.precision_by() for name, each in scores.items()}
    rows = [
        [kind, *[f"{n} / {p:.2f}" if n else "" for n, p in (by[name].get(kind, (0, 0.0)) for name in by)]]
        for kind in kinds
    ]
    say_table("nodes linked / share right, by type and by method", ["", *by], rows)


def cli() -> None:
    """The console script."""
    run_job("link_benchmark", main)


if __name__ == "__main__":
    cli()
