"""step, question, edges -> what a step says without support: quotes, denied findings, exclusions, entities, answers told."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from conf.outcome import Flag
from kg_spark.verification.agreement import is_absence
from kg_spark.verification.conclusion import keys_said
from kg_spark.verification.lexicon import lexicon
from kg_spark.verification.words import Names, Phrases, Words, stem, stems_of, words_of

Row = dict[str, Any]
Found = tuple[Flag, str]

_NEAR = 3
_FAR = 6
_LIST = 12  # words of a list of denied things: "denies fever, chills, nausea or chest pain"
_DENYING = frozenset({"no", "not", "denies", "denied", "deny", "without", "never", "lacks", "nor", "neither"})


def quoted(step: Row, question: str) -> str | None:
    """The words of the question that a step quotes; None where its quote does not stand there."""
    quote = step["quote"]
    if not quote or quote["start"] is None or quote["end"] is None:
        return None
    if not 0 <= quote["start"] < quote["end"] <= len(question):
        return None
    return question[quote["start"] : quote["end"]].strip() or None


def denied_finding(text: str, step: Row, question: str) -> Iterator[Found]:
    """Where a step denies a quoted finding that the question states, or states one that it denies."""
    quote = step["quote"]
    said, before = words_of(text), words_of(_sentence_before(question, quote["start"]))
    inside = words_of(question[quote["start"] : quote["end"]])
    absences = lexicon().set("absences")
    is_denied = bool((_DENYING | absences) & {*inside, *before[-_LIST:]} or lexicon().set("weak") & set(inside))
    content = {stem(word) for word in inside if _weighs(word)}
    if doubled := _doubled(said) if absences & set(inside) else "":
        yield Flag.NEGATED, f"{doubled!r}: the question denies it once"
        return
    for at, word in enumerate(said):
        near = said[max(0, at - _NEAR) : at]
        denial = _denial(near) if stem(word) in content else ""
        denial = denial or (
            _denial_of_number(said[max(0, at - _FAR) : at]) if word[0].isdigit() and word in inside else ""
        )
        if denial and not is_denied:
            yield Flag.NEGATED, f"{denial} {word}: the question does not deny it"
            return
    denied = inside if _DENYING & set(before[-_NEAR:]) else _behind_denial(inside)
    weighty = {stem(word) for word in denied if _weighs(word)}
    is_told = bool(weighty) and 2 * len(weighty & set(map(stem, said))) >= len(weighty)
    if is_told and not (_DENYING | absences | lexicon().set("doubts")) & set(said):
        yield Flag.NEGATED, f"the question denies {' '.join(denied)!r}"


def _behind_denial(words: Words) -> Words:
    """What a quote denies: the words behind "no", to the end of what it lists."""
    at = next((i + 1 for i, word in enumerate(words) if word in _DENYING), len(words))
    end = next((i for i in range(at, len(words)) if words[i] in {"but", ".", ";"}), len(words))
    return words[at:end]


def _doubled(words: Words) -> str:
    """A denial of a denial or of a normal result: "not absent", "not normal"."""
    absences = lexicon().set("absences") - {"not"}
    pairs = [(a, b) for a, b in pairwise(lexicon().without_adverbs(words)) if a in {"not", "never"} and b in absences]
    return " ".join(pairs[0]) if pairs else ""


def _denial_of_number(words: Words) -> str:
    pseudo = lexicon().not_negations.any_in(words)
    return "not" if "not" in words and not pseudo and not {"but", "and", ";", "."} & set(words) else ""


def _denial(words: Words) -> str:
    """The word that denies what follows; none where something else is said in between."""
    known = lexicon()
    at = max((i for i, word in enumerate(words) if word in _DENYING), default=None)
    if at is None or known.relations.any_in(words[at + 1 :]) or known.not_negations.any_in(words[at:]):
        return ""
    return "" if "," in words[at:] else words[at]


def _sentence_before(text: str, end: int) -> str:
    start = max(text.rfind(mark, 0, end) for mark in (". ", "? ", "; ", ", but ", "\n"))
    return text[start + 1 : end]


def _weighs(word: str) -> bool:
    known = lexicon()
    return (
        len(word) > 3
        and word.isalpha()
        and word not in known.set("fillers") | known.set("prepositions") | known.set("be")
    )


def exclusion(
    text: str, question: str, edges: Iterable[Row], negatives: Iterable[str], names: Names, quote: str | None
) -> Iterator[Found]:
    """Where a step rules something out, and neither an edge that it may use nor a denied finding speaks against anything.

    Args:
        text: of the step.
        question: the stem.
        edges: that the step may rest on.
        negatives: names of what the question denies.
        names: of nodes.
        quote: words of the question that the step rests on; a finding that the sentence names speaks for itself.
    """
    known = lexicon()
    rests_on = {stem(word) for word in words_of(quote or "") if _weighs(word)}
    against = {edge[end] for edge in edges if _speaks_against(edge) for end in ("src", "dst")}
    for sentence in _sentences(text):
        phrase = _excluding(known.without_adverbs(sentence))
        if not phrase or rests_on & set(map(stem, sentence)):
            continue
        named = {node for _, _, nodes in names.find(sentence, text) for node in nodes}
        if not named & against and not _is_denied(sentence, question, negatives):
            yield Flag.UNSUPPORTED_EXCLUSION, f"{phrase!r}"


def _excluding(words: list[str]) -> str:
    """The words that rule something out; none where they are denied ("cannot be ruled out")."""
    found = lexicon().exclusions.find(words)
    stated = [(a, b) for a, b, _ in found if not _DENYING & set(words[max(0, a - _NEAR) : a])]
    return " ".join(words[slice(*stated[0])]) if stated else ""


def _speaks_against(edge: Row) -> bool:
    return bool(edge["polarity"] == "contraindicated") or is_absence(edge)


def _is_denied(sentence: Words, question: str, negatives: Iterable[str]) -> bool:
    """Whether the sentence names a finding that the question denies or calls normal."""
    if Phrases(key for name in negatives if (key := stems_of(name))).any_in([stem(word) for word in sentence]):
        return True
    said = {stem(word) for word in sentence if _weighs(word)}
    absences = lexicon().set("absences")
    return any(absences & set(asked) and said & set(map(stem, asked)) for asked in _sentences(question))


@lru_cache(1 << 12)
def _sentences(text: str) -> tuple[Words, ...]:
    found: list[list[str]] = [[]]
    for word in words_of(text):
        if word in ".;?!":
            found.append([])
        else:
            found[-1].append(word)
    return tuple(tuple(words) for words in found if words)


def unknown_entities(
    mentions: Iterable[str], known_nodes: set[str], names: Mapping[str, tuple[str, ...]], given: Iterable[str]
) -> Iterator[Found]:
    """What a step names that stands neither among nodes that it may name nor in the question.

    Args:
        mentions: node_ids that the step names.
        known_nodes: those of edges cited so far and of the question's links.
        names: of each node.
        given: question and options.
    """
    texts = [stems_of(text) for text in given]
    allowed = [set(stems_of(name)) for node in sorted(known_nodes) for name in names.get(node, ())]
    for node in dict.fromkeys(mentions):
        keys = [key for name in names.get(node, ()) if (key := stems_of(name or ""))]
        if node in known_nodes or any(set(key) <= words for key in keys for words in allowed):
            continue
        phrases = Phrases(keys)
        if not any(phrases.any_in(text) for text in texts):
            yield Flag.UNKNOWN_ENTITY, f"{node} {names.get(node, ('',))[0]!r}".strip()


def unnamed_ends(
    text: str, edges: Sequence[Row], names: Names, spelled: Mapping[str, tuple[str, ...]]
) -> Iterator[Found]:
    """What a step's edges join and its text does not name, be it by most words of a name or as "this drug".

    A node that lies between two of the edges need not be named: "X, by way of M, raises Y" may leave M out.
    """
    words = words_of(text)
    if any(map(_is_anaphoric, _sentences(text))):
        return
    spans = names.find(words, text)
    named = {node for _, _, nodes in spans for node in nodes}
    # What is part of another name hints at nothing.
    left = list(words)
    for start, end, _ in spans:
        left[start:end] = [""] * (end - start)
    touched = Counter(end for edge in edges for end in {edge["src"], edge["dst"]})
    for node in sorted(node for node, count in touched.items() if count == 1 or len(edges) == 1):
        if node not in named and node in spelled and not any(_is_hinted(name, left) for name in spelled[node]):
            yield Flag.UNNAMED_END, f"{node} {spelled[node][0]!r}"


def set_apart(text: str, names: Names) -> set[str]:
    """The nodes that a text names only to set them apart from what it speaks of."""
    words, contrasts = words_of(text), lexicon().set("contrasts")
    apart: set[str] = set()
    told: set[str] = set()
    for start, _, nodes in names.find(words, text):
        (apart if contrasts & set(words[max(0, start - _NEAR) : start]) else told).update(nodes)
    return apart - told


def _is_anaphoric(sentence: Words) -> bool:
    """Whether a sentence begins with what was named before it: "This drug …", but not "It is … that"."""
    is_empty = sentence[0] == "it" and sentence[1:2] in (("is",), ("was",), ("follows",))
    return not is_empty and bool(lexicon().set("anaphora") & set(sentence[:2]))


def _is_hinted(name: str, words: Sequence[str]) -> bool:
    """Whether most words of a name stand in a text, or its last word behind "the"."""
    key, said = stems_of(name), tuple(map(stem, words))
    if not key:
        return False
    return len(set(key) & set(said)) * 2 > len(set(key)) or ("the", key[-1]) in pairwise(said)


def told_answer(text: str, option_key: str | None) -> Iterator[Found]:
    """Where a step says which answer is right instead of arguing for it."""
    if phrase := lexicon().leaks.any_in(words_of(text)):
        yield Flag.GIVES_ANSWER_AWAY, f"{phrase!r}"
    elif option_key and option_key in keys_said(text):
        yield Flag.GIVES_ANSWER_AWAY, f"option {option_key}"
