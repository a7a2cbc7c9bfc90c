"""question, options -> flags: what to know of a question before trusting its chain; a flag closes no row.

NEEDS_IMAGE: the stem refers to a picture that no row carries. INVERTED: the right option is the one that does not fit,
so that a path to it argues for the wrong thing. Both are patterns over the wording: every hit, and every sentence with
one of their words that is no hit ("CT shows …", "laboratory values are shown below"), was read on MedQA, MedBullets,
MedXpertQA and HLE.
"""

import re
from collections.abc import Sequence

PICTURE = (
    r"(?:figures?|images?|photo(?:graph|micrograph)?s?|pictures?|exhibits?|illustrations?|diagrams?|graphs?|videos?|"
    r"drawings?|tracings?)"
)
EXAMINATION = (
    r"(?:x[-‑ ]?rays?|radiographs?|ct|mri|ecg|ekg|eeg|\w+cardio(?:gram|tocograph)|cardiotocograph|\w+graphy|"
    r"ultrasounds?|scans?|smears?|histology|\w+pathologic analysis|microscopy|pedigree|loop|lesions?|rash|"
    r"electrophoresis|karyotype|examination|slides?|\w+gram)"
)
SHOWN_END = r"(?:(?:\s(?:below|above|here))?\s?[.,?;)]|\swith\b)"
SHOWN = r"(?:shown|seen|depicted|pictured|presented|displayed|demonstrated|provided|illustrated|indicated|marked)"

CUE = re.compile(
    r"shown|pictur|depicted|image|figure|arrow|exhibit|video|photo|diagram|\bgraph|drawing|tracing|illustrat|"
    r"\b(?:dashed|dotted)\sline",
    re.IGNORECASE,
)
"""One of these stands in every hit: stems without it are spared the patterns (a third of the time over all files)."""

IMAGE_PATTERNS = (
    # Labels: "Figure A", "(Figures 1 and 2)", "Image B shows", "the second image"
    r"\b(?:figures?|images?|exhibits?|videos?)\s(?:(?-i:[A-H])\b|\d)|\b(?:first|second|third)\s(?:image|picture)\b",
    # Places: "shown in the accompanying photograph", "as seen in the picture", "indicated by the arrow"
    rf"\b{SHOWN}\s(?:in|on|by|with)\s(?:the\s|an?\s)?(?:\w+\s){{0,2}}(?:{PICTURE}|arrows?|(?:dashed|dotted)\sline)\b",
    # Orders: "(see image)", "Refer to the image below", "What does the image above show?"
    rf"\b(?:see|refer to)\s(?:the\s)?(?:\w+\s)?{PICTURE}\b|\b{PICTURE}\s(?:below|above)\b|\bthe\spicture\sshows\b",
    # Pictures: "A photograph of the rash is shown.", "A smear is shown below.", "Radiograph, as shown below,"
    rf"\b(?:{PICTURE}|{EXAMINATION})\b[^.;:?]{{0,80}}?\b(?:is|are|was|were|and|as)\s(?:shown|pictured|depicted){SHOWN_END}",
    # Parts: "The ECG shown is from a girl of 4", "the dotted line in this graph", "the green arrow"
    rf"\b(?:{EXAMINATION}|{PICTURE}|abnormality)\sshown\b|\b(?:in|on)\s(?:this|the)\s{PICTURE}\b|\bgreen\sarrow\b",
    # Bare: "… lesions of the skin, as shown.", or "The results are shown." with no results behind it
    r", as shown\s?\.|\bultrasound, and the results are shown\b|\bresults? (?:is|are) shown(?: below)?\.\s(?=W[^|]*$)",
)
NEEDS_IMAGE = re.compile("|".join(IMAGE_PATTERNS), re.IGNORECASE)
MARK = re.compile(rf"(?:{PICTURE} )?[A-Z]", re.IGNORECASE)

AUXILIARY = r"(?:is|are|was|were|do|does|would|should|will|can|could|may)"
INVERTED_PATTERNS = (
    # Capitals: "All of the following EXCEPT:", "Which would NOT be expected?"
    r"\bexcept\b\W*$|(?-i:\b(?:EXCEPT|NOT|INCORRECT|FALSE|AVOIDED|LEAST)\b)",
    # Negation: "Which is not a cause?", "Which drug should not be given?"; but not "why he is not treated"
    rf"\bwhich\b(?:(?!\b(?:that|who|why|because|when|where|if)\b)[^,?])*?\b{AUXILIARY}(?:\s\w+)?(?:\snot|n't)\b",
    # Doubt: "Which diagnosis is least likely?", "Which statement is incorrect?"
    r"\bleast\s(?:likely|probable|appropriate|consistent|useful|effective|accurate|true|expected)\b",
    r"\b(?:be|is|are)\sunlikely\b",
    r"\b(?:is|are)\s(?:false|incorrect|untrue)\b|\bfalse\sstatement\b|^\W*not\s(?:true|an?|seen|used|caused|associated)\b",
    # Harm: "Which drug is contraindicated?", "Which should be avoided?"; but not "given to avoid relapse"
    r"\bcontraindicat\w+|\bshould\s(?:(?!to\b)\w+\s){0,4}avoid(?:ed)?\b|\bto\savoid\W*$",
)
INVERTED = re.compile("|".join(INVERTED_PATTERNS), re.IGNORECASE)


def flags(question: str, options: Sequence[tuple[str, str]]) -> list[str]:
    """`INVERTED` (by the last sentence) and `NEEDS_IMAGE` (by the stem, or options that are marks), those that hold."""
    asked = re.split(r"(?<=[.?!])\s+|\n", question.strip())[-1]
    pictured = CUE.search(question) is not None and NEEDS_IMAGE.search(question) is not None
    marks = bool(options) and all(MARK.fullmatch(text) for _, text in options)
    found = {"INVERTED": INVERTED.search(asked) is not None, "NEEDS_IMAGE": pictured or marks}
    return [flag for flag, holds in found.items() if holds]
