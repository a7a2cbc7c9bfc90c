"""The little grammar that the rules of `answer_kind` rest on: word lists, verbs, lists of things.

Regular expressions and word lists, no parser and no model: an answer rarely has more than ten words, every decision
can be read off one list, and a wrong one is mended there. The lists hold what MedQA, MedBullets, MedXpertQA and HLE
were found to need; a verb is listed only in a form that is no noun ("binds", not "results").
"""

import re
from collections.abc import Sequence


def words(text: str) -> frozenset[str]:
    """A word list from one string."""
    return frozenset(text.split())


AUXILIARIES = words(
    "am are aren't can can't cannot could did didn't do does doesn't don't had has hasn't have haven't is isn't "
    "may might must shall should shouldn't was wasn't were weren't will won't would"
)
VERBS = words(
    "activates acts affects allows alters appears arises becomes began belongs binds comes competes contains "
    "contributes converts demonstrates depends derives determines develops deviates differs drains enhances "
    "enlarges enters exceeds exhibits explains fails follows gives goes improves includes influences inhibits "
    "inserts interacts involves lacks leads lies lowers maintains mediates occur occurred occurs originates plays "
    "preferred prefers prevents produces promotes protects provides raises reaches receives reduces regulates "
    "relies remain remained remains represents requires resembles responds resulted runs seems serves showed shows "
    "suggests tend tended tends travels undergoes varies worsens"
)
NOUN_OR_VERB = words(
    "blocks caused causes changes decreases drives forms increases limits needs supplies supports targets"
)
PLURAL_VERBS = words("cause decrease enhance fail increase inhibit lead produce reduce require transform")
SUBJECTS = words("he it she there they we you")
RELATIVES = words("that until when where which who whom whose")
CONJUNCTIONS = words("although because if unless whereas whether")
PREPOSITIONS = words(
    "about above across after against along among around as at before behind below beneath between beyond by due "
    "during for from in into near of on onto over per than through throughout to toward towards under until upon "
    "versus via with within without"
)
DIRECTIONS = words(
    "absent decrease decreased decreases decreasing diminished elevated enhanced high higher increase increased "
    "increases increasing less low lower more negative no normal positive present prolonged raised reduced "
    "shortened unchanged ↑ ↓ ↔"
)
STATES = DIRECTIONS | words("abnormal absence defective deficient excess excessive impaired lack loss presence")
SPEECH = words("apologize ask convince explain inform inquire persuade reassure refuse remind tell thank")
ADVICE = words(
    "advise agree consult contact counsel disclose discuss document educate encourage notify recommend report "
    "request respect suggest warn"
)
PEOPLE = words(
    "attending boy child colleague committee daughter family father girl guardian he her him husband mother parent "
    "parents patient patient's patients physician provider resident she son staff surgeon them they wife"
)
ACTS = ADVICE | words(
    "add adjust administer admit apply arrange assess attempt avoid begin change check collect continue decrease "
    "delay determine discharge discontinue drain elevate ensure evaluate excise follow give increase induce "
    "initiate insert intubate maintain measure monitor obtain order perform place prescribe proceed reduce refer "
    "remove repeat replace resect restrict schedule screen send start stop switch taper transfer transfuse treat "
    "wait withhold"
)
PAIRED_ADJECTIVES = words(
    "alpha beta broad dry fast female first gamma inner large left lower male outer red right second slow small "
    "thick thin third upper white"
)
NOUNS_THAT_END_SO = words(
    "analgesic animal antibiotic clinic colic denial diuretic hospital narcotic referral removal scar sedative "
    "survival topic trial withdrawal"
)
ADJECTIVE_ENDING = re.compile(r"(?:al|ic|ar|ary|ory|ous|ior|oid|ive|-\w+(?:ing|ed))$")


def tokens_of(text: str) -> tuple[str, ...]:
    """Words in lower case without punctuation around them; words in capitals stay, so that "IS" is no verb."""
    found = (word.strip("\"“”'.,:;()[]?!") for word in text.replace("’", "'").split())
    return tuple(word if word.isupper() and len(word) > 1 else word.lower() for word in found if word)


def without_brackets(text: str) -> str:
    """The text less what stands in brackets, which explains and adds nothing."""
    return " ".join(re.sub(r"\([^()]*\)|\[[^][]*\]", " ", text).split())


def segments_of(text: str) -> list[str]:
    """Parts between commas and semicolons, outside brackets."""
    return [part.strip() for part in re.split(r"\s*[,;]\s+", without_brackets(text)) if part.strip()]


def main_verbs(tokens: Sequence[str]) -> int:
    """Verbs with a subject, less one for each "which" or "when" before it ("A drug that inhibits the enzyme" has none).

    An auxiliary counts without a subject ("Can be spread by touch"), once with those behind it; a verb that comes
    first has none ("Blocks reuptake").
    """
    found = waiting = 0
    for before, word, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        waiting += bool(before) and word in RELATIVES
        if is_verb(before, word, after):
            found, waiting = (found, waiting - 1) if waiting else (found + 1, 0)
    return found


def is_verb(before: str, word: str, after: str) -> bool:
    """Whether the word, between these two ("" at an end), is a verb that has a subject."""
    if word in AUXILIARIES or not before:
        return word in AUXILIARIES and before not in AUXILIARIES
    goes_on = after not in PREPOSITIONS | {"", "and", "or"}
    doubtful = word in NOUN_OR_VERB or (word in PLURAL_VERBS and before.endswith("s"))
    return word in VERBS or (doubtful and goes_on) or (word, after) == ("results", "in")


def is_adjective(word: str) -> bool:
    """By list or ending: "upper", "abdominal", "gram-negative"."""
    if word in NOUNS_THAT_END_SO:
        return False
    return word in PAIRED_ADJECTIVES | DIRECTIONS or ADJECTIVE_ENDING.search(word) is not None


def opens_chain(part: str) -> bool:
    """Whether the part before a comma is an adjective of what follows ("Gram-negative, oxidase-positive rods")."""
    last = (tokens_of(part) or ("",))[-1]
    return last not in DIRECTIONS and is_adjective(last)


def is_list(parts: Sequence[str]) -> bool:
    """Three parts or more that are no chain of adjectives and no preposition's objects; two that change or act."""
    tokens = [tokens_of(part) or ("",) for part in parts]
    if len(parts) < 2 or opens_chain(parts[0]):
        return False
    if len(parts) == 2:
        return tokens[1][0] in ACTS | STATES or len(tokens[0]) == len(tokens[1]) == 1
    return not set(tokens[0]) & PREPOSITIONS


def joins(text: str, found: re.Match[str]) -> bool:
    """Whether this "and" joins two things: not two adjectives of one, not two objects of one preposition."""
    left, right = tokens_of(text[: found.start()]), tokens_of(text[found.end() :])
    if not left or not right:
        return False
    if right[0] in ACTS | DIRECTIONS and not is_adjective(left[-1]):
        return True
    participles = left[-1].endswith(("ed", "ing")) and right[0].endswith(left[-1][-2:])
    if len(right) > 1 and (is_adjective(left[-1]) or len(left[-1]) == 1 or participles):
        return False
    over = [word for word in left if word in PREPOSITIONS]
    series = found[0].startswith(",") and "," in text[: found.start()]
    return not over or (over[0] in right and not series)
