"""A release's files -> croissant.json: what they hold, column by column, for machines.

Written last of all files: it holds their SHA-256, and its version the fingerprint of the step, so that whoever finds it
knows that the others beside it are whole and of one release.

Source: MLCommons Croissant 1.0; mlcroissant checks it as it is built and reads the records back.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from conf.outcome import ContractError
from conf.tables import RELEASE
from medreason_ray.review.card import NAME, Told

FILE = "croissant.json"

_ENCODINGS = {".jsonl": "application/jsonlines", ".parquet": "application/x-parquet"}


_PAIR_DOCS = {
    "pair_id": "id of the pair",
    "question_id": "release.question_id",
    "pair_kind": "why the second is worse: the name of a Reason, or mutant:KIND",
    "prompt": "the question and its options, as chat",
    "chosen": "the released chain and the answer, as chat",
    "rejected": "the other chain and the answer, as chat",
}


def version(fingerprint: str) -> str:
    """The dataset's version: Croissant wants MAJOR.MINOR.PATCH, what comes behind + names the build."""
    return f"1.0.0+{fingerprint}"


def version_in(folder: Path) -> str:
    """The version that the folder's metadata states; empty where there is none."""
    path = folder / FILE
    return str(json.loads(path.read_text(encoding="utf-8"))["version"]) if path.is_file() else ""


def croissant(told: Told, folder: Path) -> str:
    """The metadata as JSON.

    Args:
        told: of the release.
        folder: that holds its files.

    Raises:
        ContractError: mlcroissant finds a mistake in it.
    """
    import mlcroissant as mlc

    files = [_file(mlc, folder / name) for name in told.files]
    docs = {column.name: column.metadata[b"doc"].decode() for column in RELEASE.columns}
    sets = [_record_set(mlc, folder / "release.parquet", "question_id", docs)]
    if told.files.get("preference_pairs.parquet"):
        sets.append(_record_set(mlc, folder / "preference_pairs.parquet", "pair_id", _PAIR_DOCS))
    try:
        metadata = mlc.Metadata(
            name="medreason-ray-release",
            description=f"{NAME}. Each step cites edges of a knowledge graph. The rationales were written with the answer"
            " known; they are no clinical advice.",
            version=version(told.fingerprint),
            license=list(told.licences) or ["unknown"],
            cite_as=f"medreason-ray, release {told.fingerprint}",
            keywords=["medical", "reasoning", "knowledge graph"],
            in_language=["en"],
            data_limitations=_limits(told),
            distribution=files,
            record_sets=sets,
        )
    except mlc.ValidationError as error:
        raise ContractError(f"{FILE}: {' '.join(str(error).split())}") from error
    return json.dumps(metadata.to_json(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _limits(told: Told) -> list[str]:
    said = [
        "The rationale was written with the answer known.",
        "Consistency with the graph is not clinical truth, and a path is not evidence.",
        "Not clinical advice.",
    ]
    return [*said, "not_for_training: published test sets."] if told.release.purpose == "evaluation" else said


def _file(mlc: Any, path: Path) -> Any:
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return mlc.FileObject(
        id=path.name,
        name=path.name,
        content_url=path.name,
        content_size=f"{path.stat().st_size} B",
        encoding_formats=[_ENCODINGS[path.suffix]],
        sha256=digest,
    )


def _record_set(mlc: Any, path: Path, key: str, docs: Mapping[str, str]) -> Any:
    """A Parquet file's columns, each with its sentence."""
    name = path.stem
    fields = [_field(mlc, path.name, (name, column.name), column.type, docs) for column in pq.read_schema(path)]
    return mlc.RecordSet(id=name, name=name, key=[f"{name}/{key}"], fields=fields)


def _field(mlc: Any, file: str, place: Sequence[str], kind: pa.DataType, docs: Mapping[str, str]) -> Any:
    """A column; a list of structs is a repeated field with a subfield each."""
    column = place[1]
    content = kind.value_type if pa.types.is_list(kind) else kind
    given = {
        "id": "/".join(place),
        "name": place[-1],
        "description": docs[column],
        "repeated": True if pa.types.is_list(kind) and len(place) == 2 else None,
    }
    if pa.types.is_struct(content):
        inner = [_field(mlc, file, (*place, each.name), each.type, docs) for each in _members(content)]
        return mlc.Field(**given, sub_fields=inner)
    transforms = [mlc.Transform(json_path=place[-1])] if len(place) > 2 else []
    source = mlc.Source(file_object=file, extract=mlc.Extract(column=column), transforms=transforms)
    return mlc.Field(**given, data_types=[_data_type(mlc, content)], source=source)


def _members(struct: pa.StructType) -> Iterator[pa.Field]:
    return (struct.field(number) for number in range(struct.num_fields))


def _data_type(mlc: Any, kind: pa.DataType) -> Any:
    while pa.types.is_list(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return mlc.DataType.BOOL
    if pa.types.is_integer(kind):
        return mlc.DataType.INTEGER
    return mlc.DataType.FLOAT if pa.types.is_floating(kind) else mlc.DataType.TEXT
