"""lexicon.yaml -> Lexicon: the phrases by which one thing is said to act on another, inflected and ready to be found.

Compiled once a process. The phrases of an edge are added for the step that cites it, so that a relation of a user's own is
read too: in its own words, if in no others.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise
from typing import Any, NamedTuple

import yaml

from kg_spark.verification.words import Phrases, Words, words_of

_VOWELS = "aeiou"
_BY_MEANS = frozenset({"cause", "change", "treat"})  # "reduced with", "treated with"


DIRECTED = frozenset({"cause", "change", "treat", "risk", "shows"})
"""Families that say which of two things acts on the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A phrase that says something of what stands before it and what stands behind."""

    family: str
    """cause, change, treat, risk, shows, infer, link, act, member; own for what an edge alone says so."""
    sign: str
    """+ - 0 c."""
    back: bool = False
    """What stands behind acts on what stands before."""
    extreme: bool = False
    """Says so much that its denial leaves an edge as it is: cure, abolish."""
    finite: bool = False
    """A verb's past form: with a form of `be` before it, it is a passive that names nobody."""


class Lexicon:
    """The file, compiled."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self._irregular = raw["irregular"]
        wordings: dict[Words, Wording] = {}
        for row in raw["relations"]:
            for words, wording in self._wordings(row):
                wordings.setdefault(words, wording)
        self.wordings: Mapping[Words, Wording] = wordings
        self.forms_of_wordings = list(wordings)
        self.relations = Phrases(wordings)
        self.negations = _phrases(raw["negations"])
        self.not_negations = _phrases(raw["not_negations"])
        self.denials = _phrases(raw["denials"])
        self.unstated = _phrases(raw["unstated"])
        self.leaks = _phrases(raw["leaks"])
        self.adverbs = _phrases(raw["adverbs"])
        self.turning, self.keeping = _phrases(raw["turning"]), _phrases(raw["keeping"])
        self.units = {form: unit for unit, forms in raw["units"].items() for form in forms}
        self.ages: Mapping[str, tuple[int, int]] = {word: tuple(bounds) for word, bounds in raw["ages"].items()}
        self.number_words: Mapping[str, int] = raw["number_words"]
        self._sets = {name: frozenset(raw[name]) for name in _SETS}
        self._kept = _phrases([*raw["negations"], *raw["not_negations"], *raw["unstated"]])
        # Looked for among words without adverbs: "can therefore be dismissed".
        self.exclusions = Phrases(map(self.without_adverbs, map(words_of, raw["exclusions"])))

    def set(self, name: str) -> frozenset[str]:
        """A list of single words."""
        return self._sets[name]

    def without_adverbs(self, words: Sequence[str]) -> list[str]:
        """The words less those that only shade what is said.

        An adverb within a phrase that denies or seems to stays: "not always" denies nothing, "does little to" does. So does
        "can" before "not": "cannot have" rules out, "does not have" need not.
        """
        dropped = {i for start, end, _ in self.adverbs.find(words) for i in range(start, end)}
        dropped |= {i for i, word in enumerate(words) if self._is_adverb(word)}
        dropped -= {i for start, end, _ in self._kept.find(words) for i in range(start, end)}
        dropped -= {i for i, pair in enumerate(pairwise(words)) if pair == ("can", "not")}
        return [word for i, word in enumerate(words) if i not in dropped]

    def _is_adverb(self, word: str) -> bool:
        return len(word) > 4 and word.endswith("ly") and word not in self._sets["kept_ly"]

    def forms(self, verb: str) -> tuple[str, str, str, str]:
        """The third person, the past, the participle and the gerund of a verb's base form."""
        if verb in self._irregular:
            return tuple(self._irregular[verb])
        if verb.endswith("e"):
            return verb + "s", verb + "d", verb + "d", verb[:-1] + "ing"
        if verb.endswith("y") and verb[-2] not in _VOWELS:
            return verb[:-1] + "ies", verb[:-1] + "ied", verb[:-1] + "ied", verb + "ing"
        third = verb + ("es" if verb.endswith(("s", "x", "ch", "sh", "z")) else "s")
        return third, verb + "ed", verb + "ed", verb + "ing"

    def base(self, third: str) -> str | None:
        """The base form of a third person; None where the word is none."""
        for verb, forms in self._irregular.items():
            if forms[0] == third:
                return str(verb)
        if not third.endswith("s") or third.endswith("ss"):
            return None
        bases = (third.removesuffix("s"), third.removesuffix("es"), third.removesuffix("ies") + "y")
        fitting = [base for base in bases if base != third and self.forms(base)[0] == third]
        hissing = third.endswith(("sses", "xes", "ches", "shes", "zzes"))
        takes_last = hissing or (third.endswith("ies") and len(third) > 4)
        return (fitting[-1] if takes_last else fitting[0]) if fitting else None

    def _wordings(self, row: Mapping[str, Any]) -> Iterator[tuple[Words, Wording]]:
        family, sign = row["family"], row["sign"]
        for name in ("forward", "back"):
            for phrase in row.get(name, ()):
                yield words_of(phrase), Wording(family=family, sign=sign, back=name == "back")
        agents = ("by", "with", "using", "through", "via") if family in _BY_MEANS else ("by",)
        for verb in row.get("verbs", ()):
            head, *rest = verb.split()
            third, past, participle, gerund = self.forms(head)
            said = Wording(family=family, sign=sign, extreme=row.get("extreme", False))
            for form in (head, third, gerund):
                yield (form, *rest), said
            for form in {past, participle}:
                yield (form, *rest), replace(said, finite=not rest)
            for agent in agents:
                yield (participle, *rest, agent), replace(said, back=True)


_SETS = (
    "turning_after", "hiding_after", "carriers", "risks", "going_on", "breaks", "relatives", "fillers", "subject_fillers",
    "prepositions", "be", "kept_ly", "absences", "numbered", "thresholds", "male", "female", "male_pronouns",
    "female_pronouns", "pointing", "people", "remarks", "pronouns", "anaphora", "doubts", "generic_ages", "weak", "contrasts",
)  # fmt: skip


@cache
def lexicon() -> Lexicon:
    """The file beside this module, compiled."""
    text = (resources.files("kg_spark.verification") / "lexicon.yaml").read_text("utf-8")
    return Lexicon(yaml.safe_load(text))


class OwnForms(NamedTuple):
    """How an edge's own phrases may stand in a text."""

    forward: frozenset[Words]
    """From src to dst."""
    back: frozenset[Words]


@lru_cache(1 << 12)
def own_forms(phrase: str, inverse: str) -> OwnForms:
    """The forms of an edge's two phrases: inflected, without `is` and `can`, a lone verb's passive the other way."""
    said, passive = _forms_of(phrase)
    turned, active = _forms_of(inverse)
    return OwnForms(said | active, turned | passive)


@lru_cache(1 << 12)
def own_phrases(pairs: tuple[tuple[str, str], ...]) -> tuple[Phrases, list[Words]]:
    """All forms of some edges' phrases, ready to be found, and each by its number."""
    both = [own_forms(*pair) for pair in pairs]
    forms = sorted(frozenset[Words]().union(*(each.forward | each.back for each in both)))
    return Phrases(forms), forms


@lru_cache(1 << 12)
def wording_of(form: Words) -> Wording:
    """What a form says by the lexicon; family `own` where that knows none of its words."""
    known = lexicon()
    if form in known.wordings:
        return known.wordings[form]
    found = [known.wordings[known.forms_of_wordings[number]] for _, _, number in known.relations.find(form)]
    found.sort(key=lambda wording: wording.family not in DIRECTED)
    if not found or known.turning.any_in(form) or known.keeping.any_in(form):
        return Wording(family="own", sign="0")
    is_risk = found[0].family == "change" and known.set("risks") & set(form)
    return replace(found[0], finite=False, family="risk") if is_risk else replace(found[0], finite=False)


def _forms_of(phrase: str) -> tuple[frozenset[Words], frozenset[Words]]:
    """The forms of a phrase, and its passive's where it is a lone verb."""
    words = lexicon()
    said = tuple(words.without_adverbs(words_of(phrase)))
    if not said:
        return frozenset(), frozenset()
    first, *rest = said
    base = words.base(first)
    if first in {"is", "be"} and rest:
        return frozenset({said, tuple(rest)}), frozenset()
    if base is None:
        return frozenset({said}), frozenset()
    third, past, participle, gerund = words.forms(base)
    passive = frozenset() if rest else frozenset({(participle, "by")})
    return frozenset({said, *((form, *rest) for form in (base, third, past, gerund))}), passive


def _phrases(listed: Iterable[str]) -> Phrases:
    return Phrases(map(words_of, listed))
