"""text -> Case: what a number's meaning depends on besides its label: the specimen in force, and whose it is.

Folding keeps one character for one, so that every offset is the text's own.

Source: age bands as the AHA's PALS tables cut them.
"""

import re
from bisect import bisect_left, bisect_right

_SHAPES = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "—": "-",
        "‐": "-",
        "‑": "-",
        "⁻": "-",
        "⁺": "+",
        "×": "x",
        "✕": "x",
        "∗": "*",
        "μ": "u",
        "µ": "u",
    }
    | {"º": "°", "˚": "°", "：": ":", "％": "%", "∕": "/", "⁄": "/", "’": "'"}
    | dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))
    | dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
    | dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f", " ")
)
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}

_SPECIMEN = re.compile(
    r"(?<!\w)(?:"
    r"(?P<urine>urine(?!\s(?:output|volume|flow))|urinalysis|urine dipstick|urinary(?=\s(?:protein|sodium|albumin|glucose|ph)))"
    r"|(?P<csf>cerebrospinal\sfluid|csf|lumbar\spuncture)"
    r"|(?P<other>ascitic|ascites|peritoneal\sfluid|paracentesis|pleural|thoracentesis|synovial|joint\sfluid|arthrocentesis"
    r"|stool|fecal|sweat|gastric|vaginal|amniotic|pericardial\sfluid|bronchoalveolar|aspirate|aspiration|dialysate|semen)"
    r"|(?P<blood>serum|plasma|(?:peripheral|venous|arterial|capillary|cord|whole)\sblood|abg|cbc|complete\sblood"
    r"|blood\s(?:tests?|work|studies|gas|glucose|urea|count)|(?:basic|complete)\smetabolic)"
    r")(?!\w)"
)
_SENTENCE_END = re.compile(r"[.?!]['\")\]]{0,2}\s+(?=[\"'(]?[A-Z0-9])")
_SCOPE_CHARS = 700  # a list of results under its heading; longer, and the heading is no longer this number's

_COUNTS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_AGE = re.compile(
    r"(?<!\w)(?P<to>to\s(?:an?|her|his|the)\s)?"
    rf"(?:(?P<count>[0-9]{{1,3}}|{'|'.join(_COUNTS)})[\s-]{{1,2}}(?P<unit>hour|day|week|month|year)s?[\s-]{{1,2}}(?:old|of\sage)"
    r"|(?P<years>[0-9]{1,3})\s?(?:y/?o|y\.o\.)|(?P<new>newborn|neonate)(?!\w))"
    r"(?P<whose>[\s-]{1,3}(?:\w+[\s-]){0,2}(?:mother|father|sister|brother|parent|sibling|primigravida|multigravida))?"
)
_NEWBORN = re.compile(r"(?<!\w)(?:newborn|neonate)(?:'s)?(?!\w)")
_SEX = re.compile(r"(?<!\w)(?:(?P<male>man|male|boy|gentleman)|(?P<female>woman|female|girl|lady))(?!\w)")
_SEX_CHARS = 60  # "A 54-year-old previously healthy right-handed African man"
_DAYS = {"hour": 0.04, "day": 1.0, "week": 7.0, "month": 30.5, "year": 365.25}
_BAND_ENDS = (
    (28.0, "newborn"),
    (365.0, "infant"),
    (3 * 365.0, "toddler"),
    (6 * 365.0, "preschool"),
    (12 * 365.0, "school"),
)


def lowered(text: str) -> str:
    """A text in lower case (ASCII) with one form for each sign; as many characters as it had."""
    return text.translate(_SHAPES).translate(_LOWER)


class Case:
    """A text, folded, with the specimens and the person it speaks of."""

    def __init__(self, text: str) -> None:
        self.written = text.translate(_SHAPES)
        """With one form for each sign, capitals kept."""
        self.lowered = self.written.translate(_LOWER)
        self._ends: list[int] | None = None
        self._specimens: list[tuple[int, str]] = []
        self._person: tuple[str, str] = ("adult", "")

    def specimen(self, place: int) -> str:
        """urine, csf, other or blood: the last one named before `place` in its sentence or list; blood when none is."""
        self._look()
        index = bisect_right(self._specimens, place, key=lambda each: each[0]) - 1
        if index < 0:
            return "blood"
        named, specimen = self._specimens[index]
        return specimen if named >= self._sentence(place) and place - named < _SCOPE_CHARS else "blood"

    def person(self, place: int) -> tuple[str, str]:
        """Age band and sex ("" when unknown) of the patient; newborn where the sentence speaks of a newborn."""
        self._look()
        if self._person[0] == "adult" and _NEWBORN.search(self.lowered, self._sentence(place), place):
            return "newborn", ""
        return self._person

    def _sentence(self, place: int) -> int:
        """Start of the sentence, at most _SCOPE_CHARS back."""
        assert self._ends is not None
        index = bisect_right(self._ends, place) - 1
        return max(self._ends[index] if index >= 0 else 0, place - _SCOPE_CHARS)

    def _look(self) -> None:
        """Find sentences, specimens and person, once and only when a number asks."""
        if self._ends is not None:
            return
        self._ends = [match.end() for match in _SENTENCE_END.finditer(self.written)]
        self._specimens = [(hit.end(), hit.lastgroup or "") for hit in _SPECIMEN.finditer(self.lowered)]
        self._person = _person(self.lowered)


def _person(text: str) -> tuple[str, str]:
    """Band and sex by the first age that is not a relative's; ("adult", "") when there is none."""
    for match in _AGE.finditer(text):
        if not match["to"] and not match["whose"]:
            sex = _SEX.search(text, match.end(), match.end() + _SEX_CHARS)
            return _band(match), (sex.lastgroup or "") if sex else ""
    return "adult", ""


def _band(match: re.Match[str]) -> str:
    if match["new"]:
        return "newborn"
    count, unit = (match["years"], "year") if match["years"] else (match["count"], match["unit"])
    days = (int(count) if count.isdecimal() else _COUNTS.index(count) + 1) * _DAYS[unit]
    place = bisect_left(_BAND_ENDS, (days, "~"))
    return _BAND_ENDS[place][1] if place < len(_BAND_ENDS) else "adult"
