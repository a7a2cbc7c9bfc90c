"""Whose the findings are, and whether they have them now. The part in brackets is the span."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medreason_ray.linking.assertion import assertions

SENTENCES = {
    "present": [
        "A 40-year-old man has [fever] and [cough].",
        "She presents with [chest pain] that began 3 days ago.",
        "He has a history of [asthma].",
        "Past medical history is significant for [hypertension] and [gout].",
        "He was diagnosed with [hepatitis C] 5 years ago.",
        "His mother reports that he has had a [rash] for two days.",
        "She was brought by her father because of [vomiting].",
        "There is no change in her [cough].",
        "He has not only [nausea] but also [diarrhea].",
        "The [headache] did not improve with rest.",
        "The [rash] has not resolved.",
        "She denies chills but has had [night sweats].",
        "There is no murmur, and [crackles] are heard at both bases.",
        "Cultures grow gram-negative [rods].",
        "He can walk without difficulty and has [tremor].",
        "For the past 3 weeks she has had [fatigue].",
        "He reports no fever; [dyspnea] is worse at night.",
        "Her wife says that the [seizures] are getting longer.",
        "Which of the following is the most likely cause of this patient's [anemia]?",
        "Her father has noticed that her [jaundice] is worse.",
        "His father died of lung cancer, and he has [emphysema].",
        "A previously healthy 30-year-old woman has [palpitations].",
        "According to her boyfriend, the patient has [bipolar disorder].",
        "He is brought in by his wife with [confusion].",
        "A woman with no past medical history presents with [neck pain].",
        "A biopsy is done to rule out cancer and shows [granulomas].",
        "He has [gout] and had a polyp that was removed 10 years ago.",
        "She does not take her medication for [hypertension].",
        "Her pain is not relieved by [ibuprofen].",
    ],
    "absent": [
        "She denies [fever], [chills], or [night sweats].",
        "The test was negative for [influenza A], [influenza B] and [RSV].",
        "There is no [hepatomegaly] or [splenomegaly].",
        "He has no history of [diabetes].",
        "There is no family history of [colon cancer].",
        "He is [afebrile].",
        "The abdomen is soft and [nontender].",
        "She has been feeling well without [dyspnea].",
        "[Bowel sounds] are absent.",
        "[Pulmonary embolism] was ruled out.",
        "She has not had [vomiting].",
        "Urine [nitrites]: negative",
        "There is no evidence of [pneumothorax] on the film.",
        "He never had [measles].",
        "Her sclerae are [anicteric] and there is no [edema].",
        "No [lymphadenopathy] was noted.",
        "The patient does not have [tinnitus].",
        "She is alert, [afebrile] and in no acute [distress].",
        "Neither [clubbing] nor [cyanosis] is seen.",
    ],
    "family": [
        "His father died of [myocardial infarction].",
        "She has a family history of [breast cancer].",
        "Family history is significant for [type 1 diabetes] in an aunt.",
        "Her mother, who is 60 years old, has [rheumatoid arthritis].",
        "His brother and uncle have [hemophilia].",
        "There is [glaucoma] in her grandmother.",
        "Both his mother and maternal uncle suffer from [schizophrenia].",
        "[Migraine] runs in the family.",
        "His sister had no [seizures] as an infant.",
    ],
    "past": [
        "She had [pneumonia] last year.",
        "He was treated for a [urinary tract infection] 6 weeks ago.",
        "He is status post [appendectomy].",
        "She had childhood [asthma].",
        "He had [rheumatic fever] as a child.",
        "Her [diarrhea] has resolved.",
        "She stopped taking [lisinopril].",
        "[Metformin] was discontinued.",
        "He was hospitalized for [pancreatitis] two months ago.",
        "She had a sore throat that subsided and a previous [stroke].",
        "One month ago, she had an episode of [vertigo].",
        "A former [smoker], he walks daily.",
    ],
    "hypothetical": [
        "He is at increased risk of [stroke].",
        "A CT scan is done to rule out [appendicitis].",
        "She should return if she develops [fever] or [dyspnea].",
        "Should he develop [hematuria], he is to call.",
        "There is concern for [meningitis].",
        "She takes aspirin as prophylaxis against [preeclampsia].",
        "This drug can cause [agranulocytosis].",
        "He was vaccinated against [hepatitis B].",
        "She came for [osteoporosis] screening.",
        "Which of the following drugs causes [hirsutism]?",
        "She is worried about [cancer].",
        "The patient may develop [lactic acidosis].",
    ],
    "other": [
        "His roommate has [mononucleosis].",
        "Her boyfriend was treated for [gonorrhea].",
        "Two coworkers have [diarrhea].",
        "He reads a study of patients with [psoriasis].",
        "The drug is given to newborns of mothers who have [HIV].",
        "Her husband recently had [influenza].",
    ],
}
CASES = [(sentence, label) for label, sentences in SENTENCES.items() for sentence in sentences]
_MARKED = re.compile(r"\[(.*?)\]")


def labelled(marked: str) -> list[str]:
    """The labels of the parts in brackets."""
    text, spans = "", []
    for place, part in enumerate(re.split(r"[\[\]]", marked)):
        if place % 2:
            spans.append((len(text), len(text) + len(part)))
        text += part
    return assertions(text, spans)


@pytest.mark.parametrize(("marked", "label"), CASES)
def test_a_sentence_says_whose_it_is_and_when(marked: str, label: str) -> None:
    assert labelled(marked) == [label] * len(_MARKED.findall(marked))


def test_the_table_is_large_enough() -> None:
    assert len(CASES) >= 60


def test_a_scope_ends_with_the_sentence() -> None:
    assert labelled("No [fever]. [Cough] for a week.\n[Rash]") == ["absent", "present", "present"]


def test_labels_keep_the_order_of_the_spans() -> None:
    text = "no fever, but cough"
    assert assertions(text, [(14, 19), (3, 8), (14, 19)]) == ["present", "absent", "present"]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80), st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=4))
def test_any_text_and_any_span_have_a_label(text: str, spans: list[tuple[int, int]]) -> None:
    assert set(assertions(text, spans)) <= set(SENTENCES)


@pytest.mark.parametrize("piece", ["no ", "denies fever, ", "a", "his mother ", "# years ago ", "if ", ". "])
def test_time_is_linear(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    began = time.perf_counter()
    assertions(text, [(place, place + 1) for place in range(0, len(text), 50)])
    assert time.perf_counter() - began < 8.0
