"""licences.yaml -> terms: what each source's edges and each dataset's questions came under.

A release takes only what is known to be allowed, so what is not declared is None, never a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from conf.semantics import packaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """The terms an edge or a question came under; None is "not known", which no permissive release takes."""

    upstream: tuple[str, ...] = ()
    spdx: str | None = None
    """An SPDX expression, `A AND B` where several licences apply at once."""
    commercial: bool | None = None
    share_alike: bool | None = None
    train: bool | None = None
    benchmark: bool = False

    @property
    def permissive(self) -> bool:
        """Known to allow commercial use without share-alike."""
        return self.commercial is True and self.share_alike is False


@cache
def licence(source: str, relation: str | None = None) -> Licence:
    """The terms of a source's edges of one relation (its own `licence`, where the row has one, goes before: `terms`)."""
    return _licence("graphs", ("source", source), ("relation", relation))


@cache
def dataset_licence(dataset: str, split: str | None = None) -> Licence:
    """The terms of a dataset's questions of one split, in any case; a split without a row takes the dataset's own."""
    return _licence("datasets", ("dataset", dataset.casefold()), ("split", split.casefold() if split else None))


@cache
def terms(spdx: str | None) -> Licence:
    """What an SPDX expression `A AND B` allows, all of it together; flags are None when a part is not in licences.yaml."""
    known: Mapping[str, Mapping[str, bool]] = packaged("licences.yaml")["terms"]
    names = spdx.split(" AND ") if spdx else []
    if not names or set(names) - known.keys():
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
