"""clause -> sides: which name is the subject of a wording and which its object.

The subject is the nearest name before that is no object of something else, or the one that goes on ("X blocks Y and lowers Z").
The object is the next name behind, when nothing but words without weight stands between: articles, "the risk of", "reduced".
Where anything else stands there, there is none, and nothing is read.
"""

from typing import NamedTuple

from kg_spark.verification.lexicon import lexicon
from kg_spark.verification.sentences import NAME, Clause, Hit, Nodes

LONGEST_GAP = 9
"""Words between a name and what is said of it."""

_JOINING = frozenset({"and", "or", "nor"})
_LISTING = _JOINING | {",", "both"}
_FINITE_BE = frozenset(
    {"is", "are", "was", "were", "be", "been", "being", "remains", "remain", "becomes", "become", "gets", "get"}
)


class Side(NamedTuple):
    """A subject or an object: names in a row."""

    first: int
    last: int
    nodes: list[Nodes]
    turned: bool = False
    kept: bool = False
    event: Nodes | None = None


class Sides:
    """The names of a clause, as far as they are subjects and objects."""

    def __init__(self, clause: Clause, carried: Side | None, spoken_of: set[Nodes]) -> None:
        """Take in a clause.

        Args:
            clause: to be read.
            carried: the subject that it goes on with.
            spoken_of: the names of the whole sentence, which "it" may mean.
        """
        self._clause = clause
        self._spoken_of = spoken_of
        self._words = clause.words
        self._lexicon = lexicon()
        self.hits = [hit for hit in clause.hits if not self._is_adjective(hit)]
        self.subject = carried
        """Of the last statement."""
        self.object: Side | None = None
        """Of the last wording."""

    def opening(self) -> Side | None:
        """The first name, where it is what the clause speaks of."""
        first = min(self._clause.names, default=None)
        if first is None or (first and self._words[first - 1] in self._lexicon.set("prepositions")):
            return None
        return self._side([first])

    def relative_object(self, subject: Side) -> Side | None:
        """Of "X, which Y inhibits" X."""
        before = self._words[max(0, subject.first - 3) : subject.first]
        if not before or before[-1] not in {"which", "that"}:
            return None
        at = subject.first - (3 if before[-2:-1] == [","] else 2)
        return self._side([at]) if at in self._clause.names else None

    def pronoun(self, hit: Hit, until: int, subject: Side) -> Side | None:
        """What "it" or "its level" stands for: the one other thing that the sentence speaks of."""
        behind = self._words[hit.end : min(until, hit.end + 2)]
        known = self._lexicon
        is_thing = behind[:1] and behind[0] in known.set("pronouns")
        is_its = behind[:1] == ["its"] and behind[1:] and behind[1] in known.set("carriers")
        others = self._spoken_of - set(subject.nodes)
        if not (is_thing or is_its) or len(others) != 1 or len(subject.nodes) > 1:
            return None
        return Side(hit.end, hit.end, list(others))

    def _is_adjective(self, hit: Hit) -> bool:
        """Whether it belongs to a noun: "reduced flow", "leads to increased pressure", "relieves symptoms of", "has been"."""
        before = self._words[hit.start - 1] if hit.start else ""
        ends_verb = any(other.end == hit.start for other in self._clause.hits)
        if hit.wording.family == "shows" and ends_verb:
            return True
        if hit.wording.family == "has":
            behind = self._words[hit.end : hit.end + 1]
            is_of_people = "who" in self._words[: hit.start]
            return (
                is_of_people
                or not behind
                or (behind[0] != NAME and behind[0] not in self._lexicon.set("fillers") | {"no"})
            )
        if hit.form[-1].endswith("ing") and before == "of":
            return True
        if not hit.wording.finite or before == NAME:
            return False
        known = self._lexicon
        attached = before in known.set("prepositions") | known.set("fillers") or not before
        return attached or ends_verb

    def is_impersonal(self, hit: Hit) -> bool:
        """Whether a passive names nobody: "X is reduced in Y"."""
        before = self._words[hit.start - 1] if hit.start else ""
        return hit.wording.finite and before in _FINITE_BE

    def _row(self, at: int, step: int) -> list[int]:
        """The places of the names in a row with one, which is its last or first: "X, Y and Z".

        Before the last name of a row stands "and" or "or"; "by way of X and Y, Z …" is none of Y and Z.
        """
        places, joined, between = [at], [False], False
        here = at + step
        while 0 <= here < len(self._words) and (here in self._clause.names or self._words[here] in _LISTING):
            if here in self._clause.names:
                places.append(here)
                joined.append(between)
                between = False
            else:
                between = between or self._words[here] in _JOINING
            here += step
        if step < 0:
            return sorted(places) if joined[1:2] == [True] else [at]
        last = max((n for n, is_joined in enumerate(joined) if is_joined), default=0)
        return places[: last + 1]

    def _side(self, places: list[int]) -> Side:
        return Side(places[0], places[-1], [self._clause.names[at] for at in places])

    def subject_of(self, hit: Hit) -> Side | None:
        """Who acts, or in a passive who is acted on; None where that cannot be said."""
        before = [at for at in self._clause.names if at < hit.start]
        if not before:
            return self.subject
        nearest = max(before)
        gap = self._words[nearest + 1 : hit.start]
        if len(gap) > LONGEST_GAP or gap[:1] in (["whose"], ["'"]):
            return None
        relative = next((at for at, word in enumerate(gap[:2]) if word in self._lexicon.set("relatives")), None)
        if relative is not None:
            return self._antecedent(nearest, gap, gap[relative + 1 :])
        if self.object is not None and self.object.first <= nearest <= self.object.last:
            return self.subject._replace(event=None) if self.subject else self._of_gerund(self.object)
        if gap[-1:] == ["by"] and hit.form[0].endswith("ing"):
            return self.subject or self._own_subject(min(before), [])
        is_read = self.is_plain(gap) or self._is_attached(gap)
        # Of "with X inhibited by Y" X is what is acted on, whatever stands before it.
        return self._own_subject(nearest, gap, is_last=not gap and hit.wording.back) if is_read else None

    def _is_attached(self, gap: list[str]) -> bool:
        """Whether what stands behind a name belongs to it: "of this sort", "in excess", "deposited in the cornea"."""
        belongs = gap[0] in self._lexicon.set("prepositions") - {"by", "to"} or gap[0].endswith("ed")
        return belongs and not _LISTING & set(gap)

    def _antecedent(self, nearest: int, gap: list[str], behind: list[str]) -> Side | None:
        """Of "X, which causes Y" X; the event may be meant as well."""
        side = self._with_modifiers(self._side([nearest]), gap[:1])
        is_of_sentence = gap[0] == "," and all(map(self.is_empty, behind))
        event = self.subject.nodes[0] if is_of_sentence and self.subject else None
        return side and side._replace(event=event)

    def is_plain(self, gap: list[str]) -> bool:
        """Whether what stands behind a name is still about it: nothing of weight, "is a … of", or an apposition."""
        read = {i for start, end, _ in self._lexicon.negations.find(gap) for i in range(start, end)}
        rest = [word for i, word in enumerate(gap) if i not in read]
        rest = rest[1:] if rest and rest[0] in self._lexicon.set("turning_after") else rest
        if rest and rest[0] in self._lexicon.set("relatives"):
            return all(map(self.is_empty, rest))
        first = next((word for word in rest if not self.is_empty(word)), "")
        is_apposition = gap[:1] == [","] and gap[-1:] == [","] and len(gap) > 2
        return not first or is_apposition or bool(set(rest[: rest.index(first)]) & self._lexicon.set("be"))

    def is_empty(self, word: str) -> bool:
        """Whether a word between a subject and its verb has no weight."""
        known = self._lexicon
        return word in known.set("fillers") | known.set("be") | _LISTING or word in known.set("subject_fillers")

    def _of_gerund(self, target: Side) -> Side:
        """Of "blocking X lowers Y" X is the subject, turned by the verb before it."""
        verb = max((hit for hit in self.hits if hit.end <= target.first), key=lambda hit: hit.end)
        turned = verb.wording.sign == "-"
        return target._replace(turned=target.turned != turned, kept=not turned)

    def _own_subject(self, nearest: int, gap: list[str], *, is_last: bool = False) -> Side | None:
        places = self._row(nearest, -1)
        if self.object is not None:
            places = [at for at in places if at > self.object.last or at == nearest]
        side = self._with_modifiers(self._side(places), gap[:1])
        if side is None:
            return None
        before = self._words[side.first - 1] if side.first else ""
        if is_last or before not in self._lexicon.set("prepositions") or side.turned or side.kept:
            return side
        if before == "of" and side.first >= 2 and self._words[side.first - 2] in self._lexicon.set("carriers"):
            return side
        heads = [at for at in sorted(self._clause.names) if at < side.first]
        if not heads or (heads[0] and self._words[heads[0] - 1] in self._lexicon.set("prepositions")):
            return None
        return self._with_modifiers(self._side([heads[0]]), [])

    def _with_modifiers(self, side: Side, behind: list[str]) -> Side | None:
        """The side as "loss of", "reduced" before it or "deficiency" behind it leave it; None where they hide it."""
        known = self._lexicon
        if behind and behind[0] in known.set("hiding_after"):
            return None
        ahead = self._words[max(0, side.first - 4) : side.first]
        while ahead and ahead[-1] in {"the", "a", "an", "this", "its"}:
            ahead.pop()
        turning = [1 for _, end, _ in known.turning.find(ahead) if end == len(ahead)]
        keeping = [1 for _, end, _ in known.keeping.find(ahead) if end == len(ahead)]
        turned = bool(turning) != bool(behind and behind[0] in known.set("turning_after"))
        return side._replace(turned=turned, kept=bool(keeping))

    def object_of(self, hit: Hit, until: int) -> Side | None:
        """What the wording leads to; None where something of weight stands between."""
        behind = [at for at in self._clause.names if hit.end <= at < until]
        if not behind:
            return None
        first = min(behind)
        gap = self._words[hit.end : first]
        if len(gap) > LONGEST_GAP:
            return None
        turned, kept, rest = self._weighed(gap[:-1] if len(gap) > 1 and gap[-1] == "," else gap)
        if not all(self._is_light(rest, at) for at in range(len(rest))):
            return None
        places = self._objects(first, until)
        after = self._words[places[-1] + 1 : places[-1] + 2]
        if after and after[0] in self._lexicon.set("hiding_after"):
            return None
        turned = turned != bool(after and after[0] in self._lexicon.set("turning_after"))
        return self._side(places)._replace(turned=turned, kept=kept)

    def _objects(self, first: int, until: int) -> list[int]:
        """The names in a row from one on, less the last where it begins a statement ("…, and X, which …")."""
        places = [at for at in self._row(first, 1) if at < until]
        behind = self._words[places[-1] + 1 : places[-1] + 3]
        begins = behind[:1] and (
            behind[0] in self._lexicon.set("be") or any(h.start == places[-1] + 1 for h in self.hits)
        )
        is_remarked = behind[:1] == [","] and behind[1:] and behind[1] in self._lexicon.set("relatives")
        return places[:-1] if len(places) > 1 and (begins or is_remarked) else places

    def _weighed(self, gap: list[str]) -> tuple[bool, bool, list[str]]:
        """Whether what stands before an object turns it, whether it is said to grow, and the other words."""
        known = self._lexicon
        turning, keeping = known.turning.find(gap), known.keeping.find(gap)
        read = {i for start, end, _ in [*turning, *keeping, *known.negations.find(gap)] for i in range(start, end)}
        return len(turning) % 2 == 1, bool(keeping), [word for i, word in enumerate(gap) if i not in read]

    def _is_light(self, words: list[str], at: int) -> bool:
        known = self._lexicon
        if words[at] in {"to", "for"}:
            return at > 0 and words[at - 1] in known.set("carriers")
        is_carrier = words[at] in known.set("carriers") and {"of", "to", "for"} & set(words[at + 1 :])
        return words[at] in known.set("fillers") or bool(is_carrier)
