"""What this machine or cluster lacks for a profile, and what to do about each: doctor profile=NAME [key=value …].

Exit 2 when something that the profile needs is missing. Writes nothing but a probe of the lake.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from conf.loading import load
from conf.outcome import ConfigError
from jobs._checks import CHECKS
from jobs._help import help_text
from jobs._say import say_table


def main(arguments: Sequence[str]) -> int:
    """Look, say and return the exit code."""
    if any(argument in {"-h", "--help", "help"} for argument in arguments):
        print(help_text("doctor"))
        return 0
    started = time.monotonic()
    try:
        config = load(arguments)
    except ConfigError as error:
        print(f"doctor: {error}", file=sys.stderr)
        print(json.dumps({"job": "doctor", "status": "refused", "error": str(error), "checks": []}))
        return 2
    found = [finding for check in CHECKS for finding in check(config)]
    rows = [[each.check, each.state, each.found, each.todo] for each in found]
    say_table(f"doctor of profile {config.profile}", ["", "", "found", "what to do"], rows, left=4)
    missing = [each.check for each in found if each.state == "missing"]
    said = {"error": f"missing: {', '.join(missing)}"} if missing else {}
    summary = {
        "job": "doctor",
        "status": "refused" if missing else "ok",
        "checks": [asdict(each) for each in found],
        "seconds": round(time.monotonic() - started, 1),
        **said,
    }
    print(json.dumps(summary))
    return 2 if missing else 0


def cli() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    cli()
