"""Rounds as the jobs run them (conf.rounds): which cases are taken, and whether another round is needed."""

from conf import rounds
from jobs._run import Run
from jobs._say import say


def taken(run: Run) -> str:
    """Cases that the chains in the lake were asked for, as generate_chains says in its commit."""
    return run.lake.checked("chains", reader="assemble_release").facts.get("taken", "")


def tell(run: Run) -> None:
    """Say how far a target has come, also in the last line."""
    if not run.config.release.target_rows:
        return
    found = rounds.progress(run.lake, run.config)
    run.more["round"] = {
        "target": found.target,
        "passed": found.passed,
        "taken": found.taken,
        "cases": found.cases,
        "another_round": found.open,
    }
    said = f"  {found.passed:,} passed, {found.target:,} are wanted; {found.taken:,} of {found.cases:,} cases taken"
    if found.open:
        say(f"{said}; another round is needed: {', '.join(rounds.STEPS)}, which takes {found.following():,} cases")
    else:
        say(f"{said}; no further round{'' if found.passed >= found.target else ', for all cases were taken'}")


def another(run: Run) -> bool:
    """Whether another round is needed."""
    return bool(run.config.release.target_rows) and rounds.progress(run.lake, run.config).open
