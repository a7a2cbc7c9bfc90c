"""`--help` of a job: what it reads and writes, and every key with its default."""

from conf.flow import FLOW, jobs
from conf.loading import keys, profiles

_COMMON = ("profile", "data", "lake", "tracking")
_OWN = {"plan_run": ("plan",), "compare_runs": ("compare",)}
_SECTIONS = {"judging": "judge"}
_ENGINE_SECTIONS = {"spark": ("spark",), "ray": ("ray",)}


def help_text(job: str) -> str:
    """The text for one job; the pipeline's own is that of all its steps."""
    steps = jobs().get(job, FLOW)
    sections = [*_COMMON, *_OWN.get(job, ())]
    for step in steps:
        sections += [_SECTIONS.get(name, name).split(".")[0] for name in step.config]
        sections += _ENGINE_SECTIONS[step.engine]
    lines = [f"usage: python -m jobs.{job} profile=NAME [key=value …]", ""]
    for step in steps:
        reads = ", ".join(step.reads) or "the files named by the config"
        lines += [f"{step.name} ({step.engine}): {step.doc}", f"  reads {reads}; writes {', '.join(step.writes)}"]
    lines += ["", f"profiles: {', '.join(profiles())}, or a YAML file", "", "keys (default):"]
    for key, default, doc in keys():
        if key.split(".")[0] in sections:
            shown = default if default not in ("", None) else "''"
            lines.append(f"  {key} ({shown}): {' '.join(doc.split())}")
    return "\n".join(lines)
