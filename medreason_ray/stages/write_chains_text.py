"""A chain as free text, MedReason's own form: three headings, numbered lines. Read leniently; what has no steps is rejected.

So is what is longer than a chain may be: nothing is cut off to make it pass.

Headings may be bold, numbered or marked with #, steps numbered or bulleted. A step that names labels in brackets cites them;
any other is background, for free text says nothing else of what it rests on. Chains so written parse less often than those
decoded under a schema, and are there for models and endpoints that cannot be held to one.

Source: MedReason (arXiv:2504.00993): "Finding reasoning paths:", "Reasoning Process:", "Conclusion:".
"""

import json
import re

from conf.outcome import Reason, Rejected
from medreason_ray.prompt import Prompt

PROMPT = Prompt.beside(__file__)

_HEADING = r"^[ \t>#*_\d.]*{}[ \t*_]*:?[ \t*_]*"
_PROCESS = re.compile(_HEADING.format(r"reasoning process"), re.IGNORECASE | re.MULTILINE)
_CONCLUSION = re.compile(_HEADING.format(r"(?:final )?conclusion"), re.IGNORECASE | re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:step\s*)?(?:\d+[.):]|[-*•])\s+", re.IGNORECASE)
_CITED = re.compile(r"\s*[\[(]\s*(E\d+(?:\s*[,;]\s*E\d+)*)\s*[\])]")
_MARKS = re.compile(r"\*\*|__")


def as_json(reply: str) -> str:
    """The reply in the form that decoding under the schema would have given.

    Raises:
        Rejected: NOT_A_REPLY, when a heading, the steps or the conclusion are missing.
    """
    process = _PROCESS.search(reply)
    if process is None:
        raise Rejected(Reason.NOT_A_REPLY, "no heading 'Reasoning Process:'")
    conclusions = list(_CONCLUSION.finditer(reply, process.end()))
    if not conclusions:
        raise Rejected(Reason.NOT_A_REPLY, "no heading 'Conclusion:'")
    conclusion = conclusions[-1]
    steps = [_step(text) for text in _items(reply[process.end() : conclusion.start()])]
    last = " ".join(_MARKS.sub("", reply[conclusion.end() :]).split())
    if not steps or not last:
        raise Rejected(Reason.NOT_A_REPLY, "no steps" if not steps else "an empty conclusion")
    return json.dumps({"steps": steps, "conclusion": last})


def _items(text: str) -> list[str]:
    """The numbered or bulleted items, lines that continue one joined to it; where nothing is numbered each line is one."""
    lines = [line for line in text.splitlines() if line.strip()]
    numbered = any(_BULLET.match(line) for line in lines)
    items: list[str] = []
    for line in lines:
        if items and numbered and not _BULLET.match(line):
            items[-1] += " " + line.strip()
        else:
            items.append(_BULLET.sub("", line).strip())
    return [item for item in items if item]


def _step(text: str) -> dict[str, object]:
    edges = [label.strip() for cited in _CITED.findall(text) for label in re.split(r"[,;]", cited)]
    said = " ".join(_MARKS.sub("", _CITED.sub("", text)).split())
    if edges:
        return {"support": "kg", "edges": list(dict.fromkeys(edges)), "text": said}
    return {"support": "background", "text": said}
