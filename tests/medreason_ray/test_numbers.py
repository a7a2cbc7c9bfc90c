"""Which numbers are findings, and where they stand."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.identity import name_key
from medreason_ray.linking.numbers import findings, measured
from medreason_ray.linking.numbers_rules import bare_measurements, labels, rule_names

MAN, BABY, TODDLER = "A 54-year-old man", "A 5-day-old girl", "A 2-year-old boy"


def found(text: str) -> list[tuple[str, str]]:
    return [(text[each.start : each.end], each.rule) for each in findings(text)]


def rules(text: str) -> list[str]:
    return [rule for _, rule in found(text)]


@pytest.mark.parametrize(
    ("text", "phrase", "rule"),
    [
        ("Her temperature is 39.2°C (102.6°F).", "temperature is 39.2°C (102.6°F)", "temperature_high"),
        ("Temp 101 F, looks tired", "Temp 101 F", "temperature_high"),
        ("T: 38.9℃", "T: 38.9℃", "temperature_high"),
        ("a temperature of 38.0 C", "temperature of 38.0 C", "temperature_high"),
        (
            "with a rectal temperature of 33 degrees Celsius",
            "rectal temperature of 33 degrees Celsius",
            "temperature_low",
        ),
        ("a temperature of 103.", "temperature of 103", "temperature_high"),
        ("blood pressure is 180/110 mm Hg", "blood pressure is 180/110 mm Hg", "blood_pressure_high"),
        ("BP 88/50, HR 70", "BP 88/50", "blood_pressure_low"),
        ("Her blood pressure is 70/palp", "blood pressure is 70/palp", "blood_pressure_low"),
        ("blood pressure is 132/94 mmHg", "blood pressure is 132/94 mmHg", "blood_pressure_high"),
        ("a systolic blood pressure of 82 mm Hg", "systolic blood pressure of 82 mm Hg", "systolic_pressure_low"),
        ("with a pulse of 122/min", "pulse of 122/min", "heart_rate_high"),
        ("heart rate 44 beats per minute", "heart rate 44 beats per minute", "heart_rate_low"),
        ("respirations are 28/minute", "respirations are 28/minute", "respiratory_rate_high"),
        ("oxygen saturation is 88% on room air", "oxygen saturation is 88% on room air", "oxygen_saturation_low"),
        ("SpO2: 84%", "SpO2: 84%", "oxygen_saturation_low"),
        ("She has a BMI of 41 kg/m².", "BMI of 41 kg/m²", "body_mass_index_high"),
        ("body mass index is 27 kg/m^2", "body mass index is 27 kg/m^2", "overweight_high"),
        ("Serum:\nNa+: 128 mEq/L\n", "Na+: 128 mEq/L", "sodium_low"),
        (
            "The serum sodium level was found to be 158 mmol/L.",
            "serum sodium level was found to be 158 mmol/L",
            "sodium_high",
        ),
        ("K 2.6, creatinine 1.0", "K 2.6", "potassium_low"),
        ("HCO3−: 11 mEq/L", "HCO3−: 11 mEq/L", "bicarbonate_low"),
        ("BUN 62 mg/dL", "BUN 62 mg/dL", "urea_nitrogen_high"),
        ("creatinine of 310 µmol/L", "creatinine of 310 µmol/L", "creatinine_high"),
        ("Creatinine (mg/dL): 4.1\n", "Creatinine (mg/dL): 4.1", "creatinine_high"),
        ("finger-stick glucose is 38 mg/dL", "finger-stick glucose is 38 mg/dL", "glucose_low"),
        ("glucose 22.4 mmol/L", "glucose 22.4 mmol/L", "glucose_high"),
        ("Ca2+ 12.9 mg/dL", "Ca2+ 12.9 mg/dL", "calcium_high"),
        ("hemoglobin concentration is 7 g/dL", "hemoglobin concentration is 7 g/dL", "hemoglobin_low"),
        ("Hb 68 g/L", "Hb 68 g/L", "hemoglobin_low"),
        ("haematocrit\t21%", "haematocrit\t21%", "hematocrit_low"),
        ("Hemoglobin A1c is 9.4%", "Hemoglobin A1c is 9.4%", "hemoglobin_a1c_high"),
        ("HCT 60%", "HCT 60%", "hematocrit_high"),
        ("MCV | 66 μm^3", "MCV | 66 μm^3", "mean_corpuscular_volume_low"),
        ("leukocytosis (WBC 15,000/mm^3)", "WBC 15,000/mm^3", "leukocytes_high"),
        ("WBC 2.1 × 10⁹/L", "WBC 2.1 × 10⁹/L", "leukocytes_low"),
        ("Platelet count 31 x 10^3/µL", "Platelet count 31 x 10^3/µL", "platelets_low"),
        ("platelets are 22,000.", "platelets are 22,000", "platelets_low"),
        ("Eosinophils 18%", "Eosinophils 18%", "eosinophil_share_high"),
        ("INR of 4.2 on warfarin", "INR of 4.2", "international_normalised_ratio_high"),
        ("TSH is < 0.01 µU/mL", "TSH is < 0.01 µU/mL", "thyroid_stimulating_hormone_low"),
        ("ferritin < 12 ng/mL", "ferritin < 12 ng/mL", "ferritin_low"),
        ("C-reactive protein 88 mg/L", "C-reactive protein 88 mg/L", "c_reactive_protein_high"),
        ("pH 7.18\nPaCO2 62 mm Hg", "pH 7.18", "blood_ph_low"),
        ("intraocular pressure of 48 mm Hg", "intraocular pressure of 48 mm Hg", "intraocular_pressure_high"),
        ("T-score is -2.8", "T-score is -2.8", "t_score_low"),
        ("24-hour urine protein: 4.1 g", "24-hour urine protein: 4.1 g", "protein_excretion_high"),
    ],
)
def test_an_abnormal_number_is_its_finding(text: str, phrase: str, rule: str) -> None:
    assert found(text)[0] == (phrase, rule)


@pytest.mark.parametrize(
    "text",
    [
        "temperature is 37.9°C (100.2°F), pulse is 100/min, respirations are 20/min, blood pressure is 138/88 mm Hg",
        "Na+: 141 mEq/L, K+: 4.4 mEq/L, glucose 96 mg/dL, Hb 14.1 g/dL, WBC 9,800/mm3, platelets 310,000",
        "sodium 12 mg", "potassium chloride 20 mEq daily", "vitamin K 10 mg", "a calcium supplement of 1200 mg",
        "PCV 13 and PPSV 23", "blood pressure is well controlled", "P = 0.03", "hemoglobin 3-5 g/dL", "Hb 10 years ago",
        "T 4 vertebra", "temperature is 3", "WBC 5-10/hpf", "blood pressure of 90/120", "hemoglobin -7 g/dL", "ALT 10-fold",
        "Ascitic fluid analysis shows an albumin of 0.8 g/dL and a leukocyte count of 1900/mm3.",
        "Her urine sodium is 8 mEq/L.", "group P 120 subjects", "Ca 19-9", "sodium 128,000", "pulse 1/2",
    ],
)  # fmt: skip
def test_what_is_normal_or_unreadable_says_nothing(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("who", "measure", "expected"),
    [
        (MAN, "pulse is 150/min", ["heart_rate_high"]),
        (BABY, "pulse is 150/min", []),
        ("A newborn", "pulse is 84/min", ["heart_rate_low"]),
        (TODDLER, "respirations are 30/min", []),
        ("A three-month-old boy", "respirations are 45/min", []),
        ("An 8-year-old girl", "blood pressure is 86/50 mm Hg", []),
        (MAN, "blood pressure is 86/50 mm Hg", ["blood_pressure_low"]),
        (MAN, "hemoglobin is 12.8 g/dL", ["hemoglobin_low"]),
        ("A 31-year-old woman", "hemoglobin is 12.8 g/dL", []),
        (BABY, "hemoglobin is 12.8 g/dL", ["hemoglobin_low"]),
        (BABY, "hemoglobin is 19 g/dL", []),
        ("A 6-day-old boy born to a 24-year-old woman", "pulse is 150/min", []),
        ("The 40-year-old father of a 4-week-old girl says that her", "pulse is 150/min", []),
    ],
)
def test_limits_are_those_of_the_patient(who: str, measure: str, expected: list[str]) -> None:
    assert rules(f"{who} is examined. The {measure}.") == expected


def test_fever_is_read_in_fahrenheit_to_the_tenth() -> None:
    assert rules("temperature is 100.4°F") == ["temperature_high"]
    assert rules("temperature is 100.3°F") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Potassium 5.3 mEq/L (N = 3.5–5.5)", []),
        ("Potassium 4.9 mEq/L (normal range: 3.0-4.5 mEq/L)", ["potassium_high"]),
        ("Testosterone 52 ng/dL. Ferritin 20 ng/mL, 30 – 300 ng/mL", ["ferritin_low"]),
        ("CD4+ count is 700/mm3 (N ≥ 800)", ["cd4_cells_low"]),
        ("WBC 12,000/mm3 (ref: 4.5-11.0)", ["leukocytes_high"]),  # in another unit: the rule's own limits stand
        ("Lipase 190 U/L [10-140]", ["lipase_high"]),
        ("ESR 25 mm/h (N < 40)", []),
    ],
)
def test_a_range_stated_beside_the_value_is_the_limit(text: str, expected: list[str]) -> None:
    assert rules(text) == expected


def test_the_specimen_decides() -> None:
    text = (
        "Lumbar puncture shows glucose 21 mg/dL, protein 310 mg/dL, and a leukocyte count of 900/mm3. Serum glucose is 90 mg/dL."
        " Urinalysis:\nProtein 3+\nBlood 1+\nGlucose negative\nWBC 40/hpf\nSerum\nAlbumin 1.9 g/dL"
    )
    assert rules(text) == [
        "csf_glucose_low",
        "csf_protein_high",
        "csf_leukocytes_high",
        "urine_protein_grade_high",
        "urine_blood_high",
        "urine_leukocytes_high",
        "albumin_low",
    ]


def test_a_normal_measurement_is_measured_all_the_same() -> None:
    text = "Serum calcium is 9.1 mg/dL; she takes calcium."
    assert [text[start:end] for start, end in measured(text)] == ["Serum calcium is 9.1 mg/dL"]


def test_there_are_enough_rules_and_each_names_its_finding() -> None:
    assert len(set(rule_names())) == len(rule_names()) > 40
    assert all(rule.low or rule.high for label in labels().all for rule in label.rules)


def test_no_limit_is_upside_down() -> None:
    ranges = [limits for label in labels().all for rule in label.rules for limits in rule.limits.values()]
    assert all(low < high for low, high in ranges if low is not None and high is not None)


def test_measurements_are_folded_names() -> None:
    assert {"blood pressure", "heart rate", "respiration rate", "body temperature", "hemoglobin"} <= bare_measurements()
    assert all(name == name_key(name) for name in bare_measurements())


PIECES = st.sampled_from(
    [
        "blood pressure is ",
        "Na+",
        "128",
        "/",
        " mEq/L",
        "\n",
        "(",
        ")",
        "pH",
        "7.",
        ",",
        "µ",
        "İ",
        "ß",
        "A 3-day-old ",
        "-",
        " to ",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map("".join)))
def test_offsets_are_those_of_the_text_whatever_it_holds(text: str) -> None:
    spans = [(each.start, each.end) for each in findings(text)]
    assert all(0 <= start < end <= len(text) and any(map(str.isdecimal, text[start:end])) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize(
    "piece",
    [
        "a ",
        "(",
        "1",
        "9,999,",
        "temperature ",
        "is ",
        "Na+: 128 mEq/L ",
        " ",
        "\n",
        "urine ",
        "newborn pulse 1 ",
        "to a 3-day-",
        "serum ",
    ],
)
def test_a_hundred_thousand_characters_take_no_more_than_their_share(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    began = time.perf_counter()
    findings(text)
    assert time.perf_counter() - began < 5.0
