"""answer, options -> answer_kind: whether a path of a graph can lead to this answer.

Only `entity` and `phrase` go on. The rules look at form alone, in the order of `RULES`; the first that fits decides,
so each may rely on what the earlier ones took away. The other options are witnesses: an answer that differs from a
rival only in its amounts, or only in the order of its parts, is an amount or an order however it is worded.

Tuned by reading the answers of MedQA, MedBullets, MedXpertQA and HLE (3,129), not on what a model makes of them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kg_spark.questions.grammar import (
    ACTS,
    ADVICE,
    CONJUNCTIONS,
    NOUN_OR_VERB,
    PEOPLE,
    PREPOSITIONS,
    SPEECH,
    STATES,
    SUBJECTS,
    VERBS,
    is_list,
    joins,
    main_verbs,
    opens_chain,
    segments_of,
    tokens_of,
    without_brackets,
)

LONGEST_NAME = 5
"""Words of the longest `entity`."""

LONGEST_PHRASE = 20
"""Words of the longest `phrase`: beyond it an answer tells a story of its own, whatever its grammar."""

LONGEST_VALUE = 6
"""Words of the longest value with its name: "Fetal heart rate of 170 bpm"."""

LONGEST_PLACE = 4
"""Words of one part of an order, or of one value of a column."""

FIXED_PAIRS = re.compile(
    r"\b(nausea|head|bone|incision|dilat(?:at)?ion|skin|ova|hand, foot,|open reduction|signs|wear|type|history) and "
    r"(vomiting|neck|joint|drainage|curettage|evacuation|soft|parasites?|mouth|internal|symptoms|tear|screen|physical)\b",
    re.IGNORECASE,
)
NUMBER = r"(?:[\d.]*\d(?:,\d{3})*(?:\.\d+)?|(?i:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half)\b)"
RANGE = rf"{NUMBER}(?:\s*(?:-|–|/|:|x|×|to|and|in|out of|of)\s*{NUMBER})*(?: or (?:more|less|fewer|older))?"
UNIT = (
    r"(?:%|°|mg|mcg|[µμ]g|ug|ng|g|kg|mL|ml|dL|L|cc|mm ?Hg|cm ?H2O|mm|cm|km|m|c?Gy|k?Hz|mEq|mmol|mOsm|ms|msec|IU|U|h|"
    r"(?i:percent|times|fold|feet|kcal|bpm|(?:degree|unit|second|minute|hour|day|week|month|year|beat|breath|dose|tablet|"
    r"(?:milli|micro|kilo)?gram|(?:milli|centi)?(?:met|lit)er)s?))"
)
AMOUNT = re.compile(rf"{RANGE}\s*{UNIT}(?![\w-])")
LEAD = (
    r"(?:(?i:about|approximately|less than|more than|greater than|at least|at most|up to|between|within|every|after|in"
    r"|at|for|age|ages|day|week|month|year)\s+|[<>≤≥=~±+−-]\s*)"
)
WHOLE_AMOUNT = re.compile(rf"{LEAD}*{RANGE}\s*(?:{UNIT}(?![\w-])(?:/\w+)*)?")
NAME_WITH_AMOUNT = re.compile(
    r"^\S+ ?(?:second|minute|hour|day|week|month|year|%) (?!of|to|for|per|in|or|and|old|after|before|ago|later)[a-z]",
    re.IGNORECASE,
)
"""A test or a solution called by an amount: "24 hour urine protein", "0.9% saline"."""
FORMULA = re.compile(r"(?=.*\d)[\d\s.,:/()+*×x÷=<>≤≥%^\[\]−–-]+")
LABEL = r"(?:[IVX]+|\d{1,2}|[A-Ha-h])"
LABELS = re.compile(rf"{LABEL}(?:(?:\s*,\s*|\s*,?\s*(?:and|&)\s+){LABEL})+(?: only)?")
VALUE = re.compile(rf"(?:[<>≤≥=] ?|\bof )[−-]?{NUMBER}\s*(?:{UNIT})?$|\d ?(?:mEq|mmol|m?g|[µμ]g|mcg|ng|I?U)/\w+$")
POINTER = re.compile(
    r"none|(?:none|any) of (?:the|these)\b.*|(?:figure|image|option|choice|answer|curve|point|graph|panel|arrow|"
    r"area|region|site|label)s? [A-Z0-9]",
    re.IGNORECASE,
)
ORDER_ASKED = re.compile(
    r"\b(?:order|sequence) (?:of|from)\b|\b(?:correct|in what|which) (?:order|sequence)\b|\brank\b|\bprioritize\b",
    re.IGNORECASE,
)
MANY = re.compile(
    r"^(?:both|neither|either|all of) |; | [+&] |\bplus\b|followed by|\bas well as\b|[,\s]then\s|:\s.*[,;]\s",
    re.IGNORECASE,
)
SENTENCES = re.compile(r"(?<!\bvs)(?<!\bsp)(?<!\bspp)(?<!\bSt)(?<!\bDr)(?<=[\w)%]{2})[.?!] [A-Z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the rules look at: blanks squeezed, no period at the end."""

    question: str
    answer: str
    rivals: tuple[str, ...]
    """The wrong options; empty for an open question."""
    tokens: tuple[str, ...]
    """The answer's words in lower case, without punctuation; those in capitals ("IS") stay."""


def answer_kind(question: str, options: Sequence[tuple[str, str]], answer_key: str, answer: str) -> str:
    """`entity`, `phrase`, `yes_no_maybe`, `numeric`, `ordering`, `combination` or `statement`."""
    given = Given(
        question=question,
        answer=squeeze(answer),
        rivals=tuple(squeeze(text) for key, text in options if key != answer_key),
        tokens=tokens_of(squeeze(answer)),
    )
    return next((kind for kind, rule in RULES if rule(given)), "phrase")


def squeeze(text: str) -> str:
    """Blanks squeezed, the final period dropped, pairs that name one thing ("head and neck") made one word."""
    return FIXED_PAIRS.sub(r"\1-and-\2", " ".join(text.split()).rstrip(". "))


def is_yes_no_maybe(given: Given) -> bool:
    """A verdict: "Maybe", "True", "No, the risk is unchanged"."""
    return (
        re.match(r"(?:yes|no|maybe|true|false)\W*$|(?:yes|no|maybe)\s*[,;:–—-]\s", given.answer, re.IGNORECASE)
        is not None
    )


def is_pointer(given: Given) -> bool:
    """No answer in itself but a mark: "None of the above", "Figure C", "E" among single letters, "/"."""
    letters = re.fullmatch(r"[A-Z]", given.answer) and all(len(rival) == 1 for rival in given.rivals)
    bare = not re.search(r"[\w↑↓↔→]", given.answer)
    return bare or bool(given.rivals and letters) or POINTER.fullmatch(given.answer) is not None


def is_denial(given: Given) -> bool:
    """Nothing for a path to lead to: "No treatment required", "Not possible to tell"."""
    return re.match(r"(?:no|not|nothing)\s", given.answer, re.IGNORECASE) is not None


def is_ordering(given: Given) -> bool:
    """An order: "Atria > ventricles", "Skin → fascia → muscle", "G1, S, G2" beside "S, G1, G2" or where it is asked."""
    if re.search(r">>|[^\W\d]\)?\s+>\s+[^\W\d]|(?:\s[-–—]\s.*?){3}|(?:→|->).*(?:→|->)", given.answer):
        return True
    parts = segments_of(given.answer.lower())
    if len(parts) < 3 or parts[-1].startswith("and "):
        return False
    shuffled = any(sorted(parts) == sorted(segments_of(rival.lower())) for rival in given.rivals)
    asked = ORDER_ASKED.search(given.question) and not LABELS.fullmatch(given.answer)
    return shuffled or (bool(asked) and max(len(part.split()) for part in parts) <= LONGEST_PLACE)


def is_numeric(given: Given) -> bool:
    """A dose, count, share, ratio, age or formula: "480 mL", "Two weeks", "1 in 4", "45/(45 + 15)", "pH of 7.5"."""
    if LABELS.fullmatch(given.answer):
        return False
    if FORMULA.fullmatch(given.answer) or (len(given.tokens) <= LONGEST_VALUE and VALUE.search(given.answer)):
        return True
    lead = WHOLE_AMOUNT.match(given.answer)
    if lead is None:
        return differs_in_amounts(given)
    rest = given.answer[lead.end() :]
    has_unit = AMOUNT.search(lead[0]) is not None and not NAME_WITH_AMOUNT.search(lead[0] + rest)
    return not rest or (has_unit and not rest.startswith("-")) or differs_in_amounts(given)


def differs_in_amounts(given: Given) -> bool:
    """A rival says the same with another amount: "Colonoscopy in 5 years" beside "Colonoscopy in 10 years"."""
    masked = AMOUNT.sub("#", given.answer.lower())
    return "#" in masked and any(masked == AMOUNT.sub("#", rival.lower()) for rival in given.rivals)


def is_statement(given: Given) -> bool:
    """A clause or more: "It is a diagnosis of exclusion", "Aspirin lowers the risk", "Tell the parents"."""
    tokens = given.tokens
    if len(tokens) > LONGEST_PHRASE or SENTENCES.search(given.answer) or re.search(r"\?$|^[\"“].* ", given.answer):
        return True
    if not tokens or tokens[0] in SUBJECTS:
        return bool(tokens)
    return is_talk(tokens) or bool(CONJUNCTIONS & set(tokens)) or main_verbs(tokens) > 0


def is_talk(tokens: Sequence[str]) -> bool:
    """Speech as the next step: "Reassure the mother", "Report the surgeon", "Recommend that he stop driving"."""
    first = tokens[0] if tokens else ""
    return first in SPEECH or (first in ADVICE and bool(set(tokens) & (PEOPLE | {"that", "whether"})))


def is_table(given: Given) -> bool:
    """Columns of a table: "| pH | CO2 |", "↓ ↑ ↓"."""
    return given.answer.count("|") > 1 or re.fullmatch(r"(?:[↑↓↔→–-]\s*){2,}", given.answer) is not None


def is_combination(given: Given) -> bool:
    """Several things: "Ceftriaxone and doxycycline", "All of the above", "pH: low, CO2: high", "Low T4, high TSH"."""
    text = without_brackets(given.answer)
    if LABELS.fullmatch(text) or MANY.search(text) or is_column(given) or is_list(segments_of(text)):
        return True
    return any(joins(text, found) for found in re.finditer(r",? (?:and|or) ", text))


def is_column(given: Given) -> bool:
    """One short value a column: every option has as many parts ("Normal, high" beside "Low, normal")."""
    parts = segments_of(given.answer)
    if len(parts) < 2 or len(given.rivals) < 2 or opens_chain(parts[0]):
        return False
    short = max(len(part.split()) for part in parts) <= LONGEST_PLACE
    alike = frozenset.intersection(PREPOSITIONS, *(tokens_of(part) for part in parts))
    return (short or bool(alike)) and all(len(segments_of(rival)) == len(parts) for rival in given.rivals)


def is_entity(given: Given) -> bool:
    """A name: "Tetralogy of Fallot", "Ruptured aortic aneurysm"; "Increased TSH", "Inhibition of X" are phrases."""
    tokens = given.tokens
    if not 0 < len(tokens) <= LONGEST_NAME or tokens[0] in ACTS | STATES | VERBS | NOUN_OR_VERB:
        return False
    process = re.search(r"(?:tion|sion|ing|ment|[ae]nce|ade) of ", given.answer)
    acts = re.match(r"\S+ (?:the|an?) ", given.answer)
    return not process and not acts and not set(tokens) & (PREPOSITIONS - {"of"})


RULES: tuple[tuple[str, Callable[[Given], bool]], ...] = (
    ("yes_no_maybe", is_yes_no_maybe),
    ("statement", is_pointer),
    ("ordering", is_ordering),
    ("numeric", is_numeric),
    ("statement", is_denial),
    ("combination", is_table),
    ("statement", is_statement),
    ("combination", is_combination),
    ("entity", is_entity),
)
"""In order; what none of them takes is a `phrase`: "Cross-linking of DNA", "Administer ampicillin during labor"."""
