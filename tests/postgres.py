"""A PostgreSQL of the test's own, in a folder and on a port of its own, ended by its id."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.processes import free_ports


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # Debian keeps them off the PATH
    initdb = str(programs[-1]) if programs else shutil.which("initdb")
    if initdb is None:
        pytest.skip("no PostgreSQL: make setup-servers installs it where apt-get can")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        as_user = own_user(folder)
        made = [*as_user, initdb, "-D", f"{folder}/data", "-U", "test", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run(made, cwd=folder, check=True, capture_output=True)
        [port] = free_ports(1)
        server = Path(initdb).with_name("postgres")
        command = [
            *as_user,
            str(server),
            "-D",
            f"{folder}/data",
            "-p",
            port,
            "-k",
            str(folder),
            "-h",
            "127.0.0.1",
            "-F",
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            address = f"postgresql://test@127.0.0.1:{port}/postgres"
            wait_for(address, process, folder / "log")
            yield address


def own_user(folder: Path) -> list[str]:
    """What a command is run by: PostgreSQL refuses root, so root takes the user of Debian's package."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("no user postgres, and PostgreSQL does not run as root")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg2.connect(address).close()
        except psycopg2.OperationalError:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
        else:
            return
