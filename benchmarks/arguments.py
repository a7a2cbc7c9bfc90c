"""What every benchmark is told as key=value: data, only, quick, and one argument of its own."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from benchmarks import shape

BenchT = TypeVar("BenchT")


def run_parts(
    arguments: Iterable[str],
    script: str,
    own: str,
    make: Callable[..., BenchT],
    parts: Mapping[str, Callable[[BenchT], None]],
) -> int:
    """Run the parts that `only` names, all without it.

    Args:
        arguments: key=value.
        script: whose head says what they mean.
        own: the benchmark's own key; empty where it is not given.
        make: data, own, quick -> the bench that the parts share.
        parts: by name.

    Returns:
        The exit code: 2 where an argument is not known.
    """
    given = dict(argument.split("=", 1) for argument in arguments)
    data = given.pop("data", "../shared/data")
    only = [name for name in given.pop("only", "").split(",") if name] or list(parts)
    quick, mine = given.pop("quick", "false") == "true", given.pop(own, "")
    unknown = [*given, *(name for name in only if name not in parts)]
    if unknown:
        print(f"'{unknown[0]}' is not known; see the head of {script}", file=sys.stderr)
        return 2
    if shape.read(data) is None:
        print(f"skipped: {data}/primekg_shape.json is not there; name the folder with data=…", file=sys.stderr)
        return 0
    bench = make(str(Path(data).absolute()), mine, quick=quick)
    for name in only:
        parts[name](bench)
    return 0
