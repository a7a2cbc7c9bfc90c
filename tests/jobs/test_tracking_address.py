"""Which tracking store a run logs to is its own affair: the next run of the process does not take it over."""

import os

import pytest

from conf.loading import load
from jobs._mlflow import connect


@pytest.mark.parametrize("given", [None, "sqlite:///of_the_user.db"])
def test_the_address_of_a_run_is_not_left_in_the_environment(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if given is None:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    own = f"sqlite:///{tmp_path}/own.db"
    assert connect(load([f"tracking.uri={own}"])) == own
    assert os.environ.get("MLFLOW_TRACKING_URI") == given
    assert connect(load([])) == (given or "sqlite:///mlflow.db")
