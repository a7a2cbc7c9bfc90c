"""licences.yaml -> terms: what each source's edges and each dataset's questions came under.

A release takes only what is known to be allowed, so what is not declared is None, never a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from conf.semantics import packaged

_OWN_LAYOUT = frozenset({"hle", "medxpertqa"})
"""Formats of questions (kg_spark.questions.adapters) that are one dataset's alone, and that dataset's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """The terms an edge or a question came under; None is "not known", which no permissive release takes."""

    upstream: tuple[str, ...] = ()
    spdx: str | None = None
    """An SPDX expression: `A AND B` where several apply at once, `A OR B` where any one may be chosen."""
    commercial: bool | None = None
    share_alike: bool | None = None
    train: bool | None = None
    benchmark: bool = False

    @property
    def permissive(self) -> bool:
        """Known to allow commercial use without share-alike."""
        return self.commercial is True and self.share_alike is False

    @property
    def redistributable(self) -> bool:
        """Known to let anyone pass on copies, as every licence in licences.yaml does."""
        return self.commercial is not None


@cache
def licence(source: str, relation: str | None = None) -> Licence:
    """The terms of a source's edges of one relation (its own `licence`, where the row has one, goes before: `terms`)."""
    return _licence("graphs", ("source", source), ("relation", relation))


@cache
def dataset_licence(dataset: str, split: str | None = None) -> Licence:
    """The terms of a dataset's questions of one split, in any case; a split without a row takes the dataset's own."""
    return _licence("datasets", ("dataset", dataset.casefold()), ("split", split.casefold() if split else None))


@cache
def is_test_set(dataset: str, split: str | None, layout: str) -> bool:
    """Whether the questions are a published test set; a file in a layout of its own is that set whatever it is called."""
    names = (dataset, layout) if layout in _OWN_LAYOUT else (dataset,)
    return any(dataset_licence(name, split).benchmark for name in names)


@cache
def terms(spdx: str | None) -> Licence:
    """What an SPDX expression allows; flags are None when a part is not in licences.yaml.

    AND binds before OR, as SPDX has it. Of the alternatives the one that allows most counts: whoever takes the row may
    choose it. Brackets are not read: such an expression is not known.
    """
    found = [_together(part.strip()) for part in (spdx or "").split(" OR ")]
    freest = max(found, key=lambda each: (each.permissive, each.redistributable, each.commercial is True))
    return replace(freest, spdx=spdx)


def _together(spdx: str) -> Licence:
    """What `A AND B` allows, all of it together."""
    known: Mapping[str, Mapping[str, bool]] = packaged("licences.yaml")["terms"]
    names = spdx.split(" AND ")
    if set(names) - known.keys():
        return Licence(spdx=spdx)
    parts = [known[name] for name in names]
    return Licence(
        spdx=spdx,
        commercial=all(part["commercial"] for part in parts),
        share_alike=any(part["share_alike"] for part in parts),
    )


def _licence(section: str, whole: tuple[str, str], part: tuple[str, str | None]) -> Licence:
    """The row for the whole's part, else the one for the whole; a Licence that knows nothing where there is neither."""
    rows = {(row[whole[0]], row.get(part[0])): row for row in packaged("licences.yaml")[section]}
    row = rows.get((whole[1], part[1])) or rows.get((whole[1], None)) or {}
    return replace(
        terms(" AND ".join(row.get("spdx", ())) or None),
        upstream=tuple(row.get("upstream", ())),
        train=row.get("train"),
        benchmark=row.get("benchmark", False),
    )
