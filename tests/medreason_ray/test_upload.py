"""What is weighed before an upload is what Ray then packs."""

import zipfile

import pytest
from ray._private.ray_constants import get_runtime_env_default_excludes
from ray._private.runtime_env import packaging

from conf.config_submit import SubmitConfig
from conf.outcome import ConfigError
from medreason_ray import upload


@pytest.fixture
def folder(tmp_path):
    for name, size in {
        "jobs/a.py": 30, "conf/b.yaml": 20, "lake/nodes/part.parquet": 5000, "kept/lake/small": 7, ".git/objects/x": 900,
        "models/big.safetensors": 9000, "data.bin": 4000, "secret/skipped.txt": 11, "jobs/__pycache__/a.pyc": 60,
        "ignored/by_git": 70, "empty": 0,
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    (tmp_path / ".gitignore").write_text("/ignored/\n")
    (tmp_path / "secret" / ".rayignore").write_text("skipped.txt\n")
    return tmp_path


@pytest.mark.parametrize("excludes", [[], ["/models"], SubmitConfig().excludes], ids=["none", "one", "ours"])
def test_the_files_are_those_that_ray_packs(folder, excludes, tmp_path_factory):
    package = tmp_path_factory.mktemp("package") / "upload.zip"
    skipped = [*get_runtime_env_default_excludes(), *excludes]
    packaging.create_package(str(folder), package, include_gitignore=True, excludes=skipped)
    with zipfile.ZipFile(package) as packed:
        files = {each.filename: each.file_size for each in packed.infolist() if not each.is_dir()}
    found = upload.measure(folder, excludes)
    assert (found.files, found.bytes) == (len(files), sum(files.values()))
    assert found.heaviest == tuple(sorted(files.items(), key=lambda each: (-each[1], each[0]))[:5])
    assert "jobs/a.py" in files


def test_what_is_too_large_is_refused_with_the_culprits_named(folder, monkeypatch):
    monkeypatch.setattr(upload, "LIMIT_BYTES", 10_000)
    with pytest.raises(ConfigError, match=r"the largest: models/big\.safetensors 0\.0 MiB, lake/nodes/part\.parquet"):
        upload.check(folder, [])
    assert upload.check(folder, SubmitConfig().excludes).bytes < 10_000


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="is not a folder"):
        upload.check(tmp_path / "none", [])
