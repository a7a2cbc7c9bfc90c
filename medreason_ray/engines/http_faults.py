"""What can go wrong at an endpoint -> one line for the ledger, and whether and when to try again.

Every text passes `without_key`: endpoints echo the key they refuse ("Incorrect API key provided: sk-…"), and the line
is stored in `replies.error` and logged by whoever counts retries.
"""

import math
import random
import re
import time
from email.utils import parsedate_to_datetime

import openai

from conf.config import HttpConfig
from medreason_ray.engines.http_reply import NotACompletion

LONGEST_WAIT_S = 60.0
BODY_CHARS = 300
# Statuses below 500 that another try may mend: timeout, conflict (a lock, by OpenAI's client), too many requests.
_PASSING = {408, 409, 429}
# 429 too, but a day's waiting would not mend it.
_NO_QUOTA = "insufficient_quota"
# Azure refuses a prompt that its filter dislikes with 400; its filter of replies answers 200.
_FILTERED = {"content_filter", "content_policy_violation"}
# A part of a key this long is the key's; keys begin with fewer common characters (sk-, sk-proj-).
_SECRET_RUN = 8


class EndpointError(Exception):
    """A try that brought no reply; the text is one short line without the key."""

    again: bool | float = False
    """Whether another try may help; a number is the endpoint's own wish, in seconds."""


def again(error: Exception) -> bool | float:
    """Whether another try may help, as stamina asks it."""
    return error.again if isinstance(error, EndpointError) else False


def fault(error: Exception, config: HttpConfig, key: str) -> EndpointError:
    """What is kept of an error: its class, its status, a beginning of what the endpoint said."""
    told = EndpointError(without_key(_text(error, config), key))
    match error:
        case openai.APIStatusError():
            told.again = _wait(error)
        case openai.APIConnectionError() | TimeoutError() | NotACompletion():
            told.again = True
    return told


def is_filtered(error: Exception) -> bool:
    """Whether the endpoint declined the prompt, rather than failed."""
    return isinstance(error, openai.BadRequestError) and error.code in _FILTERED


def _text(error: Exception, config: HttpConfig) -> str:
    name = type(error).__name__
    match error:
        case openai.APIStatusError():
            return f"{name} {error.status_code}{_hint(error, config)}: {one_line(_said(error))}"
        case openai.APIConnectionError() if error.__cause__ is not None:
            return one_line(f"{name}: {type(error.__cause__).__name__} {error.__cause__}")
        case TimeoutError():
            return f"{name}: no reply within engine.http.timeout_s={config.timeout_s:g}"
    return one_line(f"{name}: {error}")


def _said(error: openai.APIStatusError) -> str:
    """The message within the body where it is an error of OpenAI's form, else the body."""
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return message if isinstance(message, str) and message else error.response.text


def _hint(error: openai.APIStatusError, config: HttpConfig) -> str:
    """What to look at when every request would fail like this one."""
    match error.status_code:
        case 401 | 403:
            return f" (is the key in the environment variable {config.key_env} the right one?)"
        case 404:
            return " (are engine.model and engine.http.base_url right?)"
    return " (the account has no quota left)" if error.code == _NO_QUOTA else ""


def _wait(error: openai.APIStatusError) -> bool | float:
    """Seconds until the next try where the endpoint says so, else whether there should be one."""
    if error.code == _NO_QUOTA or (error.status_code not in _PASSING and error.status_code < 500):
        return False
    headers = error.response.headers
    milliseconds = _number(headers.get("retry-after-ms", ""))
    wish = milliseconds / 1000 if milliseconds else _seconds(headers.get("retry-after", ""))
    if not wish > 0:  # none, or a time gone by: waits of our own
        return True
    # Whoever was told the same at the same time should not come back at the same time.
    return min(wish, LONGEST_WAIT_S) + random.random()  # noqa: S311  no secret


def _seconds(wish: str) -> float:
    """Retry-After in seconds, from now; 0 where it cannot be read."""
    seconds = _number(wish)
    if seconds:
        return seconds
    try:
        return parsedate_to_datetime(wish).timestamp() - time.time()
    except ValueError:
        return 0.0


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return 0.0 if math.isnan(number) else number


def one_line(text: str) -> str:
    """The beginning of a text, on one line, without what a terminal would obey."""
    # What is far behind the cut is not looked at: an error page may have megabytes.
    shown = " ".join("".join(char if char.isprintable() else " " for char in text[: 20 * BODY_CHARS]).split())
    return shown if len(shown) <= BODY_CHARS else f"{shown[:BODY_CHARS]}…"


def without_key(text: str, key: str) -> str:
    """A text without the key, nor a part of it from eight characters on."""
    run = min(len(key), _SECRET_RUN)
    if not run:
        return text
    parts = {key[start : start + run] for start in range(len(key) - run + 1)}
    shown = list(text)
    for start in range(len(text) - run + 1):
        if text[start : start + run] in parts:
            shown[start : start + run] = "\0" * run
    return re.sub("\0+", "[key]", "".join(shown))
