"""How a reply must look, and a row of `replies` -> the form that a stage asked for, or the reason why there is none."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from conf.outcome import Reason, Rejected

Form = TypeVar("Form", bound=BaseModel)

_CHARS = r"^[ !#-\[\]-~\u00a1-\u024f\u0370-\u03ff]+$"

TOKENS_A_CHAR = 2
"""Of a `text`, at most, under a byte-level tokenizer."""


def text(chars: int) -> dict[str, Any]:
    """JSON schema of a text of 1 to `chars` characters.

    It holds printable characters but for the quotation mark and the backslash, which JSON would write in two, and the letters
    and signs of two bytes (Latin, Greek), so the longest text has a longest number of tokens.
    """
    return {"type": "string", "pattern": _CHARS, "minLength": 1, "maxLength": chars}


def form(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """JSON schema of an object that has all these properties, in this order, and no other."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def answered(row: Mapping[str, Any]) -> str:
    """The text of a reply.

    Raises:
        Rejected: REQUEST_FAILED, when none came; REFUSED; CUT_SHORT.
    """
    if row["reply"] is None:
        raise Rejected(Reason.REQUEST_FAILED, row["error"])
    said = str(row["reply"])
    if row["finish_reason"] == "refusal":
        raise Rejected(Reason.REFUSED, said[:300])
    if row["finish_reason"] == "length":
        raise Rejected(Reason.CUT_SHORT, f"after {row['tokens_out']} tokens: …{said[-100:]}")
    return said


def read(kind: type[Form], reply: str) -> Form:
    """What a reply says.

    Raises:
        Rejected: NOT_A_REPLY, when it is not JSON of that form; the detail says where.
    """
    try:
        return kind.model_validate_json(reply)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Rejected(Reason.NOT_A_REPLY, f"{place}: {first['msg']}" if place else first["msg"]) from error
