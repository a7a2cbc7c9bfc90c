"""relations, types and generic names (.yaml) -> typed rows: what each source's data mean, for both engines.

Meaning is data: a new source or a mended phrase is a row in a file, not a branch in a reader. The files travel in the wheel
and are read once a process; a mistake in one, or in a user's own file, is a ConfigError of one line before any work begins.

Source: PrimeKG's build_graph.ipynb, Hetionet's describe/definitions.json, Biolink 4.4 (what each relation states).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from conf.identity import name_key
from conf.outcome import ConfigError

POLARITIES = ("+", "-", "0", "contraindicated")
KINDS = ("causal", "therapeutic", "association", "membership", "similarity", "location", "taxon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What one relation of one vocabulary states. `subject` and `object` are the vocabulary's raw types, None = as stated."""

    vocabulary: str
    relation: str
    predicate: str
    phrase: str
    inverse_phrase: str
    polarity: str
    kind: str
    may_carry: bool
    symmetric: bool = False
    display_relation: str | None = None
    """The source's label the row is for; None = any label without a row of its own."""
    display: str | None = None
    """edges.display_relation where the source states none; None = the relation itself."""
    subject: str | None = None
    object: str | None = None
    no_passage: str | None = None
    """subject or object: no path passes through that end from one such edge to another; None = neither."""
    licence: str | None = None
    """SPDX; None = licences.yaml decides (conf.licences)."""

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What a row is found by, at most one row each."""
        return self.vocabulary, self.relation, self.display_relation


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """A canonical node type and the Biolink category beside it."""

    type: str
    biolink: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurieRule:
    """How the local part of a raw identifier becomes a CURIE: the first group of `local`, written by `curie`."""

    local: re.Pattern[str]
    curie: str
    members: str | None = None
    """Written for each part of a `_`-joined group of identifiers; None = the id is no group."""


def relation_key(vocabulary: str, relation: str) -> str:
    """A raw relation as it stands in relations.yaml: Biolink's loses its prefix, `_` and capitals, the others outer blanks."""
    if vocabulary != "biolink":
        return relation.strip()
    return " ".join(relation.casefold().strip().removeprefix("biolink:").replace("_", " ").split())


@cache
def relations(extra: Path | None = None) -> tuple[Relation, ...]:
    """Every row of relations.yaml, then those of the user's own file.

    Raises:
        ConfigError: a file that is missing or no YAML list, an unknown or missing column, an unknown kind, polarity or type, two
            rows for one (vocabulary, relation, display_relation), a symmetric row whose two readings differ.
    """
    rows = [_relation(row, f"relations.yaml, row {n}") for n, row in enumerate(packaged("relations.yaml"), start=1)]
    if extra is not None:
        rows += [_relation(row, f"{extra}, row {n}") for n, row in enumerate(_user_rows(extra), start=1)]
    seen: set[tuple[str, str, str | None]] = set()
    for row in rows:
        if row.key in seen:
            msg = f"{extra or 'relations.yaml'}: two rows for {_named(row.key)}; keep one, a file of one's own only adds rows"
            raise ConfigError(msg)
        seen.add(row.key)
    return tuple(rows)


def find_relation(
    vocabulary: str, relation: str, display_relation: str = "", extra: Path | None = None
) -> Relation | None:
    """The row for a raw relation: the one for its label, else the one for any label, else None (to be rejected)."""
    rows = _by_key(extra)
    key = relation_key(vocabulary, relation)
    return rows.get((vocabulary, key, display_relation)) or rows.get((vocabulary, key, None))


@cache
def node_types() -> tuple[NodeType, ...]:
    """The canonical node types, PrimeKG's ten first."""
    return tuple(NodeType(**row) for row in packaged("types.yaml")["types"])


@cache
def canonical_type(vocabulary: str, raw_type: str) -> str | None:
    """The canonical type of a raw one; of a list joined by `|` the first that is known; None when none is."""
    known = _raw_types(vocabulary)
    return next((known[key] for key in map(_plain, raw_type.split("|")) if key in known), None)


@cache
def separator(vocabulary: str) -> str | None:
    """What stands between prefix and local part of a raw id; None where ids are bare.

    Raises:
        ConfigError: the vocabulary is unknown.
    """
    value: str | None = _vocabulary(vocabulary)["separator"]
    return value


@cache
def curie_rules(vocabulary: str, raw: str) -> tuple[CurieRule, ...]:
    """The rules for a raw prefix, source or type, in the order in which they are tried; empty when it is unknown."""
    rows = [
        row for row in packaged("types.yaml")["curies"] if row["vocabulary"] == vocabulary and _plain(raw) in _raws(row)
    ]
    return tuple(
        CurieRule(local=re.compile(row["local"], re.ASCII), curie=row["curie"], members=row.get("members"))
        for row in rows
    )


@cache
def generic_names() -> frozenset[tuple[str, str]]:
    """(canonical type, name_key) of the nodes too general to start or end a path."""
    return frozenset(
        (kind, name_key(name)) for kind, names in packaged("generic.yaml")["names"].items() for name in names
    )


@cache
def _by_key(extra: Path | None) -> Mapping[tuple[str, str, str | None], Relation]:
    return {row.key: row for row in relations(extra)}


@cache
def packaged(name: str) -> Any:
    """The content of one of the YAML files beside this module."""
    return yaml.safe_load(files("conf").joinpath(name).read_text("utf-8"))


def _user_rows(path: Path) -> list[object]:
    try:
        rows = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        msg = f"{path}: {error.strerror or 'cannot be read'}; name a YAML file with rows like those of conf/relations.yaml"
        raise ConfigError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid YAML ({' '.join(str(error).split())})"
        raise ConfigError(msg) from error
    if not isinstance(rows, list):
        msg = f"{path}: a list of rows was expected, one `- {{vocabulary: …, relation: …}}` a line"
        raise ConfigError(msg)
    return rows


def _relation(row: object, where: str) -> Relation:
    """A checked row; `where` opens the line of the error."""
    if not isinstance(row, dict):
        msg = f"{where}: a mapping of columns was expected, not {row!r}"
        raise ConfigError(msg)
    known = {field.name: field for field in fields(Relation)}
    _check(where, "unknown column", row.keys() - known.keys(), known)
    given = {name: value for name, value in row.items() if value is not None}
    needed = [name for name, field in known.items() if field.default is MISSING]
    _check(where, "missing column", set(needed) - given.keys(), needed)
    for name, value in given.items():
        flag = known[name].type is bool
        if not (isinstance(value, bool) if flag else isinstance(value, str) and value.strip()):
            msg = f"{where}: {name} must be {'true or false' if flag else 'a text that is not empty'}, not {value!r}"
            raise ConfigError(msg)
    stated = Relation(**{**given, "relation": relation_key(given["vocabulary"], given["relation"])})
    _check_meaning(stated, where)
    return stated


def _check_meaning(row: Relation, where: str) -> None:
    _check(where, "unknown polarity", {row.polarity} - set(POLARITIES), POLARITIES)
    _check(where, "unknown kind", {row.kind} - set(KINDS), KINDS)
    _check(where, "unknown no_passage", {row.no_passage or "object"} - {"subject", "object"}, ("subject", "object"))
    types = _vocabulary(row.vocabulary, where)["types"]
    _check(where, "unknown type", {end for end in (row.subject, row.object) if end} - types.keys(), types)
    if row.symmetric and ((row.phrase, row.subject) != (row.inverse_phrase, row.object) or row.no_passage):
        msg = (
            f"{where}: {_named(row.key)} is symmetric, so its two phrases, and its subject and object, must be the same,"
            " and it has no end for no_passage"
        )
        raise ConfigError(msg)


def _check(where: str, what: str, wrong: Iterable[object], allowed: Iterable[str]) -> None:
    if names := sorted(map(str, wrong)):
        msg = f"{where}: {what} {', '.join(names)}; known are {', '.join(allowed)}"
        raise ConfigError(msg)


def _named(key: tuple[str, str, str | None]) -> str:
    return " / ".join(part for part in key if part)


def _plain(text: str) -> str:
    """A raw type or prefix without case, blanks, `_` and a leading `biolink:`."""
    return re.sub(r"[\s_]", "", text.casefold()).removeprefix("biolink:")


@cache
def _raw_types(vocabulary: str) -> Mapping[str, str]:
    return {_plain(raw): kind for raw, kind in _vocabulary(vocabulary)["types"].items()}


def _raws(row: Mapping[str, Any]) -> set[str]:
    raw = row["raw"]
    return {_plain(name) for name in ([raw] if isinstance(raw, str) else raw)}


def _vocabulary(name: str, where: str = "types.yaml") -> Mapping[str, Any]:
    vocabularies: Mapping[str, Mapping[str, Any]] = packaged("types.yaml")["vocabularies"]
    _check(where, "unknown vocabulary", {name} - vocabularies.keys(), vocabularies)
    return vocabularies[name]
