"""What a person sees while a step runs."""

from jobs._run import _spent
from jobs._say import now_and_then


def test_a_log_has_a_line_in_thirty_seconds_and_none_before():
    seconds, lines = iter([0, 1, 29, 31, 31, 40, 60, 61, 61]), []
    show = now_and_then(lines.append, 30, lambda: next(seconds))
    for text in "abcdef":
        show(text)
    assert lines == ["c", "f"]


def test_a_step_that_asked_says_what_it_took():
    assert _spent({"requests": 1200.0, "tokens_in": 5e6, "tokens_out": 900.0, "cost": 3.5, "engine_hours": 1.0}) == (
        "1,200 requests, 5,000,000 tokens read, 900 written, cost 3.50"
    )


def test_a_step_that_asked_nothing_says_nothing():
    assert not _spent({"requests": 0.0})
