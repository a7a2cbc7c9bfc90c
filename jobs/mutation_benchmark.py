"""Benchmark (no engine): sound chains with errors planted -> how many of them the verifier finds, and its false alarms.

Needs no lake: the corpora of free prose (`dev`, `held_out`) travel with the package, and `template` chains are written over
the same cases. A lake that has chains (`lake.root=`, `profile=`) is measured beside them. The last line of the output holds
`kill_rate`, `text_kill_rate` and `false_alarm_rate` of the free prose, and `corpora`, each by itself. Figures are told beside
their bars; the exit code does not depend on them.
"""

from dataclasses import replace

from conf.config import ChainsConfig
from jobs._run import Run, run_job
from jobs._say import say, say_table
from kg_spark.verification.benchmark import measure
from kg_spark.verification.benchmark_report import COLUMNS, summary, table
from kg_spark.verification.corpus import PARTS, Sample, read
from kg_spark.verification.lake_samples import read_lake
from medreason_ray.engines.request import Model
from medreason_ray.stages import write_chains
from medreason_ray.stages.show_paths import in_order, paths_to


def main(run: Run) -> None:
    """Measure every corpus and say each figure beside its bar."""
    corpora = {part: read(part) for part in PARTS}
    corpora["template"] = tuple(by_template(sample) for samples in corpora.values() for sample in samples)
    longest = max(len(sample.chain["steps"]) for samples in corpora.values() for sample in samples)
    measured = {name: measure(samples, max_steps=longest) for name, samples in corpora.items()}
    if own := read_lake(run.lake):
        measured["lake"] = measure(own, max_steps=run.config.longest_chain, is_sound=False)
    for name, each in measured.items():
        say_table(f"{name}: {each.chains} chains, {each.steps} steps", COLUMNS, table(each))
        say("")
    figures = summary(measured)
    run.tracker.metrics(
        {
            f"mutation/{name}.{kind}": share
            for name, each in figures["corpora"].items()
            for kind, share in {
                **each["kill_rate"],
                **each["text_kill_rate"],
                "false_alarms": each["false_alarm_rate"],
            }.items()
            if share is not None
        }
    )
    run.more |= figures


def by_template(sample: Sample) -> Sample:
    """The sample with the chain that the template engine writes over its case: as true as the graph."""
    case, config = sample.case, ChainsConfig()
    paths = in_order(paths_to(case, "answer", case["answer_key"]))
    model = Model(label="template", reads=False)
    asked = write_chains.requests(case, paths, config, model, key=case["answer_key"], answer=case["answer"], samples=1)
    return replace(sample, chain=write_chains.parse(case, asked[0], asked[0].shown.by_rule()))


def cli() -> None:
    """The console script."""
    run_job("mutation_benchmark", main)


if __name__ == "__main__":
    cli()
