"""A folder that the release's files cannot go to is one line before any work."""

import pytest

from jobs import assemble_release, run_pipeline
from jobs._run import Run, execute


@pytest.mark.parametrize("job", [assemble_release, run_pipeline])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("lake.root={tmp}", "release.dir=s3://bucket/release"), "'s3://bucket/release' is a URI"),
        (("lake.root=s3://bucket/lake",), "'s3://bucket/lake/export' is a URI"),
        (("lake.root={tmp}", "release.dir={tmp}/file/release"), "file/release' cannot be written to"),
        (("lake.root={tmp}", "release.dir=/proc/release"), "'/proc/release' cannot be written to"),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(job, given, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    started = []
    for engine in ("on_spark", "on_ray"):
        monkeypatch.setattr(Run, engine, lambda *_, **__: started.append(1))
    arguments = [each.format(tmp=tmp_path) for each in given]
    assert execute("job", job.main, [*arguments, "tracking.enabled=false"]) == 2
    [line] = capsys.readouterr().err.strip().split("\n")
    assert "release.dir" in line
    assert said in line
    assert not started
