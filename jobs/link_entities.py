"""Job 3 of 8 (Ray): questions, nodes (-> replies) -> mentions -> links."""

from functools import partial

from jobs._run import Run, run_job
from medreason_ray.ledger import Ledger
from medreason_ray.linking.vectors import node_vectors
from medreason_ray.stages import link_entities


def main(run: Run) -> None:
    """Link questions, answers and options to nodes."""
    config = run.config
    version = run.lake.checked("nodes", reader="link_entities").facts["kg_version"]
    vectors = None
    if config.links.embedding.encoder != "none":
        vectors = partial(node_vectors, kg_version=version, config=config.links.embedding, lake=run.lake)
    run.on_ray(
        "link_entities",
        link_entities.run,
        config=config.links,
        batch_rows=config.ray.batch_rows,
        vectors_of=vectors,
        ledger=Ledger(run.lake.uri("replies"), run.lake.storage_options),
        engine=config.engine,
        report=run.show,
    )


def cli() -> None:
    """The console script."""
    run_job("link_entities", main)


if __name__ == "__main__":
    cli()
