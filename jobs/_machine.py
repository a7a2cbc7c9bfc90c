"""What this machine says of itself: packages, and what programs print."""

import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version


def installed(package: str) -> str:
    """A package's version; empty where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def output_of(command: Sequence[str]) -> str:
    """What a program says, on either stream; empty where it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603  fixed names
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""
