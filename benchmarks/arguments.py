"""What benchmarks are told as key=value."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from benchmarks import shape

BenchT = TypeVar("BenchT")


def told(arguments: Iterable[str], keys: Collection[str], script: str) -> dict[str, str] | None:
    """The values by key; None, with a line for the person, where a key is not one of `keys`.

    Args:
        arguments: key=value.
        keys: that the benchmark knows.
        script: whose head says what they mean.
    """
    given = dict(argument.partition("=")[::2] for argument in arguments)
    if unknown := [key for key in given if key not in keys]:
        print(f"'{unknown[0]}' is not known; see the head of {script}", file=sys.stderr)
        return None
    return given


def run_parts(
    arguments: Iterable[str],
    script: str,
    own: str,
    make: Callable[..., BenchT],
    parts: Mapping[str, Callable[[BenchT], None]],
) -> int:
    """Run the parts that `only` names, all without it; `data`, `only`, `quick` and one key of its own are known.

    Args:
        arguments: key=value.
        script: whose head says what they mean.
        own: the benchmark's own key; empty where it is not given.
        make: data, own, quick -> the bench that the parts share.
        parts: by name.

    Returns:
        The exit code: 2 where an argument is not known.
    """
    given = told(arguments, {"data", "only", "quick", own} - {""}, script)
    if given is None:
        return 2
    data = given.get("data", "../shared/data")
    only = [name for name in given.get("only", "").split(",") if name] or list(parts)
    quick, mine = given.get("quick", "false") == "true", given.get(own, "")
    if unknown := [name for name in only if name not in parts]:
        print(f"'{unknown[0]}' is not known; see the head of {script}", file=sys.stderr)
        return 2
    if shape.read(data) is None:
        print(f"skipped: {data}/primekg_shape.json is not there; name the folder with data=…", file=sys.stderr)
        return 0
    bench = make(str(Path(data).absolute()), mine, quick=quick)
    for name in only:
        parts[name](bench)
    return 0
