"""What the licences of sources and datasets allow."""

import pytest

from conf import licences
from conf.semantics import packaged, relations


@pytest.mark.parametrize("source", ["hetionet", "primekg"])
def test_every_relation_says_where_it_came_from(source: str) -> None:
    ours = {row.relation for row in relations() if row.vocabulary == source}
    assert sorted(name for name in ours if not licences.licence(source, name).upstream) == []


@pytest.mark.parametrize(
    ("source", "relation", "commercial", "share_alike", "permissive"),
    [
        ("hetionet", "CtD", True, False, True),
        ("hetionet", "CcSE", False, True, False),
        ("hetionet", "CbG", False, True, False),
        ("hetionet", "DaG", None, None, False),
        ("primekg", "indication", True, True, False),
        ("drugmechdb", "treats", True, False, True),
        ("nobody", "treats", None, None, False),
    ],
)
def test_several_licences_apply_all_at_once_and_unknown_is_not_permissive(
    source: str, relation: str, *, commercial: bool | None, share_alike: bool | None, permissive: bool
) -> None:
    found = licences.licence(source, relation)
    assert (found.commercial, found.share_alike, found.permissive) == (commercial, share_alike, permissive)


@pytest.mark.parametrize(
    ("spdx", "permissive", "redistributable"),
    [
        ("CC0-1.0", True, True),
        ("CC0-1.0 AND MIT", True, True),
        ("CC0-1.0 AND CC-BY-NC-4.0", False, True),
        ("CC-BY-NC-4.0 OR CC0-1.0", True, True),
        ("CC-BY-NC-4.0 OR CC-BY-SA-4.0", False, True),
        ("CC-BY-NC-4.0 AND MIT OR CC0-1.0 AND CC-BY-SA-4.0", False, True),
        ("CC-BY-NC-4.0 AND MIT OR CC0-1.0 AND MIT", True, True),
        ("LicenseRef-Mine OR MIT", True, True),
        ("LicenseRef-Mine OR CC-BY-SA-4.0", False, True),
        ("LicenseRef-Mine", False, False),
        ("(MIT OR CC0-1.0) AND MIT", False, False),
        ("", False, False),
        (None, False, False),
    ],
)
def test_of_alternatives_the_freest_counts_and_what_is_not_known_allows_nothing(
    spdx: str | None, *, permissive: bool, redistributable: bool
) -> None:
    found = licences.terms(spdx)
    assert (found.permissive, found.redistributable, found.spdx) == (permissive, redistributable, spdx)


def test_an_expression_with_an_unknown_licence_allows_nothing_for_certain() -> None:
    assert licences.terms("CC0-1.0 AND LicenseRef-Mine").commercial is None


@pytest.mark.parametrize(
    ("dataset", "split", "benchmark"),
    [
        ("medqa", "train", False),
        ("medqa", "test", True),
        ("MedQA", "Test", True),
        ("medqa", None, True),
        ("medmcqa", "validation", True),
        ("pubmedqa", "pqal", True),
        ("mmlu", "test", True),
        ("mmlu", "validation", False),
        ("medxpertqa", "test", True),
        ("huatuo", "train", False),
        ("hle", "anything", True),
        ("medbullets", "op4", True),
        ("demo", "train", False),
        ("my_own", "test", False),
    ],
)
def test_a_published_test_set_is_a_benchmark(dataset: str, split: str | None, *, benchmark: bool) -> None:
    assert licences.dataset_licence(dataset, split).benchmark == benchmark
    assert licences.is_test_set(dataset, split, "generic") == benchmark


@pytest.mark.parametrize(
    ("dataset", "split", "layout", "is_test_set"),
    [
        ("my_own", None, "hle", True),
        ("my_own", "train", "hle", True),
        ("my_own", "test", "medxpertqa", True),
        ("my_own", "dev", "medxpertqa", False),
        ("my_own", "test", "medqa", False),
    ],
)
def test_a_set_is_known_by_its_layout_under_any_name(
    dataset: str, split: str | None, layout: str, *, is_test_set: bool
) -> None:
    assert licences.is_test_set(dataset, split, layout) == is_test_set


def test_no_benchmark_may_be_trained_on() -> None:
    rows = packaged("licences.yaml")["datasets"]
    assert [row for row in rows if row["benchmark"] == row["train"]] == []
