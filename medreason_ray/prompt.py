"""A prompt is a Markdown file beside its parser; text from data fills its slots in one pass.

One pass, because a question may hold braces, a slot's name or an order to the reader: whatever stands in a filled slot
is not looked at again.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text of a prompt file; `{name}` is a slot, any other brace is text."""

    text: str
    hash: str
    """First 16 hex digits of the SHA-256 of the file."""
    _parts: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parts", tuple(_SLOT.split(self.text)))

    @classmethod
    def beside(cls, module: str) -> Self:
        """The prompt in the .md file of the same stem as the module (`__file__`)."""
        content = Path(module).with_suffix(".md").read_bytes()
        return cls(content.decode(), hashlib.sha256(content).hexdigest()[:16])

    def fill(self, **slots: str | int) -> str:
        """The prompt with every slot filled.

        Raises:
            ValueError: a slot is missing or unknown.
        """
        parts = list(self._parts)
        names = parts[1::2]
        if wrong := set(names) ^ set(slots):
            raise ValueError(f"slots of the prompt are {sorted(set(names))}; missing or unknown: {sorted(wrong)}")
        parts[1::2] = [str(slots[name]) for name in names]
        return "".join(parts)

    def with_double_braces(self) -> str:
        """The text with each slot as `{{name}}`, which is how MLflow's registry writes a variable."""
        parts = list(self._parts)
        parts[1::2] = ["{{" + name + "}}" for name in parts[1::2]]
        return "".join(parts)


def one_line(text: str) -> str:
    """Text from data on one line, so that it cannot begin a line of the prompt."""
    return text if text.isprintable() else " ".join(text.split())


def quoted(text: str) -> str:
    """Text from data as a Markdown quotation, its lines kept, each behind `> `."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines()) or ">"
