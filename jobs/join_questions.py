"""Put questions and options back into a release that gives them by id: release=FILE.jsonl questions=FILE format=NAME out=FILE.

Starts no engine.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from conf.outcome import ConfigError, ContractError
from jobs._say import say
from kg_spark.release.join import join, read_questions, read_release, write_rows

_WANTED = ("release", "questions", "format", "out")


def main(arguments: Sequence[str]) -> int:
    """Join, and return the exit code: 2 for what the user can put right."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    if set(given) != set(_WANTED) or not all(given.values()):
        wanted = " ".join(f"{name}=…" for name in _WANTED)
        print(f"join_questions: wants {wanted}, each once", file=sys.stderr)
        return 2
    try:
        found = join(
            read_release(given["release"]), read_questions(given["questions"], given["format"]), given["questions"]
        )
        write_rows(found.rows, Path(given["out"]))
    except (ConfigError, ContractError) as error:
        print(f"join_questions: {error}", file=sys.stderr)
        return 2
    if found.left:
        say(
            f"{found.left} rows have no question in {given['questions']}: join {given['out']} again with their own file"
        )
    print(json.dumps({"job": "join_questions", "status": "ok", "joined": found.joined, "left": found.left}))
    return 0


def cli() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    cli()
