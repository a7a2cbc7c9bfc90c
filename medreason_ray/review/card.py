"""release -> card.md: what the dataset is, how it came to be, what it is not for."""

from collections.abc import Mapping, Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined

from conf.config import Config
from conf.outcome import StageReport
from medreason_ray.review.funnel import Section


def card(
    config: Config,
    report: StageReport,
    models: Sequence[str],
    sections: Sequence[Section],
    facts: Mapping[str, str],
) -> str:
    """The card as Markdown.

    Args:
        config: the run's.
        report: of assemble_release.
        models: who wrote the released rows.
        sections: the funnel.
        facts: kg_version and the like, by name.
    """
    text = (resources.files("medreason_ray.review") / "card.md.jinja").read_text(encoding="utf-8")
    # Markdown, not HTML: nothing is escaped, and nothing from the data is interpreted.
    template = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True).from_string(text)  # noqa: S701
    return template.render(
        purpose=config.release.purpose,
        rows=report.tables["release"].rows,
        version=report.tables["release"].version,
        models=models,
        format=config.chains.format,
        datasets=sorted({file.dataset for file in config.questions.files if file.role == "work"}),
        sources=[source.name for source in config.kg.sources],
        sections=sections,
        facts=facts,
    )
