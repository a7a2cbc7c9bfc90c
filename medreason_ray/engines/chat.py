"""A prompt -> the token ids of a chat with one user message, in which text from data stays text.

A question that holds `<|im_end|>` must not end the user's message: whatever a tokenizer would take for a mark of its
chat is broken by a space behind its first character before the template is applied, and the ids are checked afterwards.
Tokenizing the message apart with `split_special_tokens` would change nothing in the text, but leaves the marks that are
plain text to the tokenizer (`[INST]` of Llama 2) and those not declared special (`<think>` of Qwen 3).
"""

import re
from typing import Any

from conf.outcome import ConfigError

_PLAIN_MARKS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>")
"""Marks that a template may write though its tokenizer does not know them."""

_SENTINEL = "\u2042message\u2042"


class Chat:
    """The chat template of a tokenizer around one message."""

    def __init__(self, tokenizer: Any, *, thinking: bool) -> None:
        """Learn the template's marks.

        Args:
            tokenizer: of transformers.
            thinking: asked of templates that let one choose (Qwen 3, DeepSeek V3.1); others know no such name.

        Raises:
            ConfigError: there is no chat template.
        """
        if not tokenizer.chat_template:
            raise ConfigError("engine.model has no chat template: take a model that was trained to follow instructions")
        self._tokenizer = tokenizer
        self._thinking = thinking
        added = {token: number for token, number in tokenizer.get_added_vocab().items() if _is_mark(token)}
        self._added = frozenset(added.values())
        ending = self._render(_SENTINEL).partition(_SENTINEL)[2].strip()
        plain = [mark for mark in (*_PLAIN_MARKS, ending) if len(mark) > 2 and mark in self._render(_SENTINEL)]
        # Longest first, so that <|im_end|> is found where <| is a mark too.
        marks = sorted({*added, *plain}, key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, marks)) or r"(?!)")
        self._frame = self._added_in(self._encode(self._render(_SENTINEL)))

    def encode(self, prompt: str) -> list[int]:
        """Token ids of the chat up to where the answer begins.

        Raises:
            ValueError: the prompt's text still makes a mark, by a tokenizer that rewrites its input.
        """
        while self._marks.search(prompt):
            prompt = self._marks.sub(lambda found: f"{found[0][0]} {found[0][1:]}", prompt)
        ids = self._encode(self._render(prompt))
        if self._added_in(ids) != self._frame:
            raise ValueError("the prompt holds text that the tokenizer takes for a mark of its chat")
        return ids

    def _render(self, prompt: str) -> str:
        message = {"role": "user", "content": prompt}
        return str(
            self._tokenizer.apply_chat_template(
                [message],
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=self._thinking,
                thinking=self._thinking,
            )
        )

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _added_in(self, ids: list[int]) -> list[int]:
        return [number for number in ids if number in self._added]


def _is_mark(token: str) -> bool:
    """Whether an added token is one that a chat may be built of: runs of blanks and the words of a field are not."""
    return len(token) > 2 and bool(re.search(r"[<>\[\]|{}]", token))
