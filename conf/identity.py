"""The one definition of every id, used by both engines.

An id is the first 16 hex digits of the SHA-256 of its defining columns, joined by the unit separator, which no name
holds (control characters are blanks to `name_key`, and readers reject them in ids). Spark computes the same digest
natively (`kg_spark.columns.digest`); a test holds the two equal.
"""

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conf.semantics import CurieRule

SEPARATOR = "\x1f"

_OWN_PREFIX = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


def digest(*parts: str) -> str:
    """First 16 hex digits of the SHA-256 of the parts joined by U+001F."""
    return hashlib.sha256(SEPARATOR.join(parts).encode()).hexdigest()[:16]


def name_key(name: str) -> str:
    """The form under which two spellings of one name meet: NFKC, case folded, blanks squeezed."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def edge_id(src: str, relation: str, display_relation: str, dst: str, *, symmetric: bool) -> str:
    """Id of an edge; the ends are put in order only when the relation is symmetric."""
    if symmetric and dst < src:
        src, dst = dst, src
    return digest(src, relation, display_relation, dst)


def path_id(nodes: list[str]) -> str:
    """Id of a path: its nodes in order (a step shows every edge between its two nodes)."""
    return digest(*nodes)


def question_id(dataset: str, id_in_dataset: str, question: str) -> str:
    """Id of a question: the same line of the same file keeps it from run to run."""
    return digest(dataset, id_in_dataset, question)


def mention_id(question: str, side: str, option_key: str, start: int, end: int, extractor: str) -> str:
    """Id of a mention: where it stands and who found it."""
    return digest(question, side, option_key, str(start), str(end), extractor)


def request_id(stage: str, prompt: str, schema: str, model: str, sampling: str, seed: int) -> str:
    """Id of a model request: whatever could change the reply, and nothing else (64 hex digits, as replies are paid for)."""
    parts = (stage, prompt, schema, model, sampling, str(seed))
    return hashlib.sha256(SEPARATOR.join(parts).encode()).hexdigest()


def chain_id(question: str, arm: str, sample: int, request: str) -> str:
    """Id of a chain: the question, what was asked for and the request that wrote it."""
    return digest(question, arm, str(sample), request)


def node_id(vocabulary: str, raw_id: str, raw_type: str, raw_source: str = "") -> str | None:
    """Id of a node: the CURIE that its raw id is an unmistakable writing of (rows `curies` of types.yaml).

    Args:
        vocabulary: primekg, hetionet or biolink.
        raw_id: as the file has it; blanks, byte-order marks and the like around or in it are dropped.
        raw_type: the raw type, which gives the prefix where neither the id nor the source does.
        raw_source: PrimeKG's x_source, "" where the file has none.

    Returns:
        The CURIE; None when there is no prefix or the rest is not of the prefix's form. In triples a prefix that no row
        knows is the graph's own, and the id is taken as written.

    Raises:
        ConfigError: the vocabulary is unknown.
    """
    found = _curie_rule(vocabulary, raw_id, raw_type, raw_source)
    if found is None:
        return _own_prefix(vocabulary, raw_id)
    return found[0].curie.format(found[1])


def member_xrefs(vocabulary: str, raw_id: str, raw_type: str, raw_source: str = "") -> tuple[str, ...]:
    """The CURIEs that a grouped node stands for (PrimeKG's MONDO_grouped), as written; empty for any other node."""
    found = _curie_rule(vocabulary, raw_id, raw_type, raw_source)
    if found is None or found[0].members is None:
        return ()
    return tuple(found[0].members.format(part) for part in found[1].split("_"))


def _own_prefix(vocabulary: str, raw_id: str) -> str | None:
    from conf import semantics

    prefix, _, local = raw_id.strip().partition(":")
    own = vocabulary == "biolink" and _OWN_PREFIX.fullmatch(prefix) and local and not any(map(str.isspace, local))
    return f"{prefix}:{local}" if own and not semantics.curie_rules(vocabulary, prefix) else None


def _curie_rule(vocabulary: str, raw_id: str, raw_type: str, raw_source: str) -> "tuple[CurieRule, str] | None":
    """The first rule that the raw id fits, with what it caught; None when none does."""
    from conf import semantics

    written = "".join(char for char in raw_id if unicodedata.category(char) not in {"Cc", "Cf"}).strip()
    mark = semantics.separator(vocabulary)
    prefix, local = raw_source or raw_type, written
    if mark is not None and mark in written:
        prefix, _, local = written.partition(mark)
    for rule in semantics.curie_rules(vocabulary, prefix):
        if match := rule.local.fullmatch(local):
            return rule, match[1]
    return None
