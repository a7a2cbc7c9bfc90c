"""What MLflow does not take is tried later, in order, and named when it is lost; nothing of it fails a job."""

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE

from jobs._journal import Journal


class Store:
    """Takes calls when it is up."""

    def __init__(self) -> None:
        self.up = True
        self.taken: list[str] = []
        self.tries = 0

    def take(self, what: str) -> None:
        self.tries += 1
        if not self.up:
            raise MlflowException("connection refused", TEMPORARILY_UNAVAILABLE)
        self.taken.append(what)


class Journaled:
    def __init__(self) -> None:
        self.store, self.said, self.now = Store(), [], 0.0
        self.journal = Journal(self.said.append, lambda: self.now)

    def log(self, what: str) -> None:
        self.journal.log(what, lambda: self.store.take(what))


@pytest.fixture
def at() -> Journaled:
    return Journaled()


def test_what_was_not_taken_is_logged_later_and_in_order(at):
    at.log("a")
    at.store.up = False
    at.log("b")
    at.log("c")
    at.store.up, at.now = True, 31.0
    at.log("d")
    assert at.store.taken == ["a", "b", "c", "d"]
    assert len(at.said) == 2


def test_a_dead_store_is_not_asked_at_each_call(at):
    at.store.up = False
    for n in range(50):
        at.log(str(n))
    assert at.store.tries == 1


def test_what_is_lost_is_named_in_one_line(at):
    at.store.up = False
    for what in ("the counts of find_paths", "funnel.txt", "funnel.txt"):
        at.log(what)
    at.journal.close()
    assert at.said[-1].endswith("this was not logged: the counts of find_paths, funnel.txt")
    assert len(at.said) == 2


def test_the_end_of_a_run_is_a_last_try(at):
    at.store.up = False
    at.log("a")
    at.store.up = True
    at.journal.close()
    assert at.store.taken == ["a"]


def test_what_the_store_refuses_holds_up_nothing(at):
    def refused() -> None:
        raise MlflowException("no such value", INVALID_PARAMETER_VALUE)

    at.journal.log("a tag", refused)
    at.log("b")
    assert at.store.taken == ["b"]
    assert at.said == ["MLflow does not take a tag (no such value); the job goes on"]
