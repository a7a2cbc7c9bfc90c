"""text -> its canonical form, under which the variants of a name meet, and where each character of it stood.

Folded first as conf.identity.name_key folds a name (NFKC, case, blanks), character by character, so that offsets are those of
the text as written although "ß" folds to two characters and a blank line to one. Then word by word: hyphens are blanks, a
possessive 's is dropped, Greek letters are spelt out, British spelling becomes American, a plural its singular. A form need
be no word ("diagnosis" and "diagnoses" are both "diagnose"): names and texts go through the same rules, and that is enough.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache

_MARKS_MAX = 30  # a base and its marks, as in UAX #15's stream-safe format; bounds the sorting of marks

_GREEK_NAMES = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon
phi chi psi omega"""
_GREEK = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _GREEK_NAMES.split(), strict=True))
_TOKEN = re.compile(r"[α-ω]|(?:(?![α-ω])[^\W_])+|(?<=[^\W_])['’]s(?![^\W_])|-+")
_BRITISH = (
    ("ae", "e"),
    ("oe", "e"),
    ("our", "or"),
    ("leuco", "leuko"),
    ("sulph", "sulf"),
    ("isation", "ization"),
    ("ising", "izing"),
    ("ysis", "yse"),
    ("yz", "ys"),
)
_BRITISH_MIN_CHARS = 5  # "does" and "goes" are no diphthongs
_LATIN = {
    "bacteria": "bacterium", "ova": "ovum", "emboli": "embolus", "thrombi": "thrombus",
    "nuclei": "nucleus", "bacilli": "bacillus", "fungi": "fungus", "calculi": "calculus", "bronchi": "bronchus",
    "foci": "focus", "septa": "septum", "diverticula": "diverticulum", "ganglia": "ganglion", "criteria": "criterion",
    "phenomena": "phenomenon", "carcinomata": "carcinoma", "stigmata": "stigma", "feet": "foot", "teeth": "tooth",
    "testes": "testis", "appendices": "appendix", "cortices": "cortex", "indices": "index", "matrices": "matrix",
}  # fmt: skip
_PLURAL_MIN_CHARS = 4


@lru_cache(maxsize=200_000)
def canonical_word(word: str) -> str:
    """A folded word's canonical form; words of few letters and numbers stay."""
    if not word.isascii():
        word = "".join(char for char in unicodedata.normalize("NFD", word) if not _is_mark(char))
    if len(word) >= _BRITISH_MIN_CHARS and word.isalpha():
        word = word[:-1] if word.endswith("ae") else word
        for british, american in _BRITISH:
            word = word.replace(british, american)
        if word.endswith("ise"):
            word = word[:-3] + "ize"
        elif word.endswith("tre"):
            word = word[:-3] + "ter"
    return _singular(word) if len(word) >= _PLURAL_MIN_CHARS and word.isalpha() else word


def _singular(word: str) -> str:
    if word in _LATIN:
        return _LATIN[word]
    if word.endswith("sis"):
        return word[:-2] + "e"
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def canonical_name(name: str) -> str:
    """The key under which a name and its variants meet; empty for a name without a word."""
    return Canonical(name).text.strip()


class Canonical:
    """A text in canonical form; `mend` may turn a canonical word into another."""

    def __init__(self, text: str, mend: Callable[[str], str] | None = None) -> None:
        folded = _Folded(text)
        parts: list[str] = []
        self._mend = mend
        self._origins: list[tuple[int, int]] = []
        self._mended: list[tuple[int, int]] = []
        last = 0
        for match in _TOKEN.finditer(folded.text):
            self._keep(folded, last, match.start(), parts)
            self._put(folded, match, parts)
            last = match.end()
        self._keep(folded, last, len(folded.text), parts)
        self.text = "".join(parts)

    def is_word(self, start: int, end: int) -> bool:
        """True when the part neither begins nor ends within a word, nor within what was one character or word."""
        return self._is_edge(start) and self._is_edge(end)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the text as written."""
        return self._origins[start][0], self._origins[end - 1][1]

    def is_mended(self, start: int, end: int) -> bool:
        """Whether a mended word stands in this part of the text as written."""
        return any(first < end and start < last for first, last in self._mended)

    def _keep(self, folded: "_Folded", start: int, end: int, parts: list[str]) -> None:
        """What lies between two tokens, as it is; blanks that a hyphen has doubled are one."""
        for place in range(start, end):
            char = folded.text[place]
            if char == " " and parts and parts[-1].endswith(" "):
                continue
            parts.append(char)
            self._origins.append(folded.origin(place, place + 1))

    def _put(self, folded: "_Folded", match: re.Match[str], parts: list[str]) -> None:
        """A token in its canonical form: one that has changed stands for the whole it came from."""
        token, where = match.group(), folded.origin(match.start(), match.end())
        blank = not parts or parts[-1].endswith(" ")
        if token[0] in "'’":
            return
        if token[0] == "-":
            form = "" if blank else " "
        elif token in _GREEK:
            form = ("" if blank else " ") + _GREEK[token]
            follows = folded.text[match.end() : match.end() + 1]
            form += " " if follows.isalnum() else ""
        else:
            form = canonical_word(token)
            meant = self._mend(form) if self._mend else form
            if meant != form:
                form = meant
                self._mended.append(where)
        if form == token:
            self._origins += [folded.origin(place, place + 1) for place in range(match.start(), match.end())]
        else:
            self._origins += [where] * len(form)
        if form:
            parts.append(form)

    def _is_edge(self, place: int) -> bool:
        if place in {0, len(self.text)}:
            return True
        before, after = self.text[place - 1], self.text[place]
        if _is_mark(after) or ((before.isalnum() or _is_mark(before)) and after.isalnum()):
            return False
        return before == " " or after == " " or self._origins[place - 1] != self._origins[place]


class _Folds(dict[int, str]):
    """Each character's folded form, for str.translate, made when it is first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if char.isspace():
            folded = " "
        elif _is_mark(char):
            folded = "\0\0"  # never folded without its base: the wrong length sends the text the slow way
        else:
            folded = _fold(char)
        self[code] = folded
        return folded


_FOLDS = _Folds()


def _fold(cluster: str) -> str:
    """name_key's fold of one base and its marks, its blanks apart; a lone surrogate becomes U+FFFD."""
    if unicodedata.category(cluster[0]) == "Cs":
        return "\ufffd" * len(cluster)
    return unicodedata.normalize("NFKC", cluster).casefold()


@cache
def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


class _Folded:
    """A text as name_key would fold it, and where each folded character stood."""

    def __init__(self, text: str) -> None:
        self.text = text.translate(_FOLDS)
        self._origins: list[tuple[int, int]] | None = None
        if len(self.text) != len(text) or "  " in self.text:
            self._fold_by_cluster(text)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the text as written."""
        if self._origins is None:
            return start, end
        return self._origins[start][0], self._origins[end - 1][1]

    def _fold_by_cluster(self, text: str) -> None:
        """The exact way, for texts with marks, blank runs and characters that fold to several."""
        folded: list[str] = []
        origins: list[tuple[int, int]] = []
        for start, end in _clusters(text):
            for char in _fold(text[start:end]):
                blank = char.isspace()
                if blank and folded and folded[-1] == " ":
                    continue
                folded.append(" " if blank else char)
                origins.append((start, end))
        self.text, self._origins = "".join(folded), origins


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each character with the combining marks that follow it."""
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and end - start < _MARKS_MAX and _is_mark(text[end]):
            end += 1
        yield start, end
        start = end
