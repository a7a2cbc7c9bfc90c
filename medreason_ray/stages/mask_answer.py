"""chain -> the chain in which nothing names the answer: each name of it, however written, is one neutral mark.

The paths of a chain end at the answer, so whoever reads them is nearly told it. With its names masked a reader must follow
the argument. Names meet their variants as in the linker (medreason_ray.linking.folding: case, plural, British spelling,
hyphens), and by stem besides, for a chain says "diabetic" where the answer is "diabetes". The linker's lexicon adds what a name
is called beside ("Tylenol"). An abbreviation is masked where it is the initials of a name ("MI") or the text itself defines it
behind one. A name that is masked too often costs a reader a
word; one that is left tells the answer.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache

from medreason_ray.linking.abbreviations import definitions
from medreason_ray.linking.dictionary import english_words
from medreason_ray.linking.folding import Canonical, canonical_name
from medreason_ray.linking.lexicon import synonym_groups

MARK = "[…]"

_Span = tuple[int, int]

# Longest first. Of words in their canonical form, whose "sis" has become "se": thrombose and thrombotic, psoriase and psoriatic.
_ENDINGS = ("ative", "atory", "ation", "atic", "tic", "ase", "ive", "ion", "ing", "ory", "ic", "ia", "al", "ed", "or", "er",
            "se", "sy", "um", "us", "y", "e", "a")  # fmt: skip
_ENDING_MIN_CHARS = 6  # of the word
_STEM_MIN_CHARS = 4

_WORD = re.compile(r"[^\W_]+")
_SMALL_WORDS = {"a", "an", "and", "by", "for", "in", "of", "or", "the", "to", "with"}
_MARKS = re.compile(rf"{re.escape(MARK)}(?:[ -]*{re.escape(MARK)})+")


def masked(text: str, names: Collection[str]) -> str:
    """The text with a mark for each span that bears one of the names; neighbouring marks are one."""
    spans = sorted(_spans(text, names))
    if not spans:
        return text
    parts, last = [], 0
    for start, end in spans:
        if start >= last:
            parts += [text[last:start], MARK]
        last = max(last, end)
    return _MARKS.sub(MARK, "".join((*parts, text[last:])))


def _spans(text: str, names: Collection[str]) -> set[_Span]:
    names = {*names, *(other for name in names for other in _wordings().get(canonical_name(name), ()))}
    as_written, folded = _by_case(names)
    found = set(_by_stem(text, folded))
    short = {each for name in names if (each := _initials(name))} | as_written
    for definition in definitions(text):
        if any(start < definition.end and definition.start < end for start, end in found):
            short.add(definition.short)
    return found | set(_literally(text, short))


@cache
def _wordings() -> dict[str, tuple[str, ...]]:
    """By canonical name: the lexicon's group, of whatever type."""
    found: dict[str, tuple[str, ...]] = {}
    for group in (group for groups in synonym_groups().values() for group in groups):
        for word in group:
            found[canonical_name(word)] = (*found.get(canonical_name(word), ()), *group)
    return found


def _by_case(names: Iterable[str]) -> tuple[set[str], set[str]]:
    """Names that mean something else in another case ("WAS", a gene), and all others in canonical form."""
    words = english_words()[1]
    as_written, folded = set(), set()
    for name in names:
        key = canonical_name(name)
        if name.isupper() and key in words:
            as_written.add(name)
        elif len(key) > 1:
            folded.add(key)
    return as_written, folded


def _by_stem(text: str, keys: Collection[str]) -> Iterator[_Span]:
    """Where the words of a name follow each other, by stem."""
    canonical = Canonical(text)
    words = [(match.span(), _stem(match.group())) for match in _WORD.finditer(canonical.text)]
    words = [each for each in words if canonical.is_word(*each[0])]
    stems = [stem for _, stem in words]
    for key in keys:
        wanted = [_stem(word) for word in _WORD.findall(key)]
        for place in range(len(stems) - len(wanted) + 1) if wanted else ():
            if stems[place : place + len(wanted)] == wanted:
                yield canonical.origin(words[place][0][0], words[place + len(wanted) - 1][0][1])


def _stem(word: str) -> str:
    if len(word) < _ENDING_MIN_CHARS:
        return word
    ending = next((each for each in _ENDINGS if word.endswith(each) and len(word) - len(each) >= _STEM_MIN_CHARS), "")
    return word.removesuffix(ending)


def _initials(name: str) -> str:
    """MI of "myocardial infarction"; empty for a name of one word."""
    words = [word for word in _WORD.findall(name) if word.casefold() not in _SMALL_WORDS]
    return "".join(word[0] for word in words).upper() if len(words) > 1 else ""


def _literally(text: str, names: Collection[str]) -> Iterator[_Span]:
    """Where a name stands as it is written, or with the s of a plural."""
    for name in names:
        for match in re.finditer(rf"(?<!\w){re.escape(name)}s?(?!\w)", text):
            yield match.span()
