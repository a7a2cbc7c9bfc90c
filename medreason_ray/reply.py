"""A row of `replies` -> the form that a stage asked for, or the reason why there is none."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from conf.outcome import Reason, Rejected

Form = TypeVar("Form", bound=BaseModel)


def answered(row: Mapping[str, Any]) -> str:
    """The text of a reply.

    Raises:
        Rejected: REQUEST_FAILED, when none came; REFUSED; CUT_SHORT.
    """
    if row["reply"] is None:
        raise Rejected(Reason.REQUEST_FAILED, row["error"])
    text = str(row["reply"])
    if row["finish_reason"] == "refusal":
        raise Rejected(Reason.REFUSED, text[:300])
    if row["finish_reason"] == "length":
        raise Rejected(Reason.CUT_SHORT, f"after {row['tokens_out']} tokens: …{text[-100:]}")
    return text


def read(form: type[Form], reply: str) -> Form:
    """What a reply says.

    Raises:
        Rejected: NOT_A_REPLY, when it is not JSON of that form; the detail says where.
    """
    try:
        return form.model_validate_json(reply)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Rejected(Reason.NOT_A_REPLY, f"{place}: {first['msg']}" if place else first["msg"]) from error
