"""synonyms.txt -> groups of wordings that mean one thing: what texts say beside what graphs call it.

Graphs carry one name a node; a stem says "shortness of breath", "HTN" or "Tylenol". Names, not ids, so that the list serves
any graph. Source: written for this project.
"""

from functools import cache
from importlib import resources

from conf.identity import name_key
from conf.semantics import node_types

FILE = "synonyms.txt"
Groups = tuple[tuple[str, ...], ...]


@cache
def synonym_groups() -> dict[str, Groups]:
    """The groups by canonical type of the nodes that they name, wordings as written, formal ones first."""
    return parse((resources.files("medreason_ray.linking") / FILE).read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, Groups]:
    """The groups of a lexicon: `[type]` heads a section, a line is a group, ` | ` parts wordings, `#` starts a comment.

    Raises:
        ValueError: a type is unknown, a group has fewer than two wordings, or a wording stands twice in a section.
    """
    known = {each.type for each in node_types()}
    groups: dict[str, list[tuple[str, ...]]] = {}
    seen: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition("#")[0].strip()
        if content.startswith("[") and content.endswith("]"):
            section, seen = content[1:-1], {}
            if section not in known:
                raise ValueError(f"{FILE}, line {number}: '{section}' is no type of conf/types.yaml")
        elif content:
            group = tuple(wording.strip() for wording in content.split("|"))
            if len(group) < 2 or not section or not all(group):
                raise ValueError(f"{FILE}, line {number}: a group is at least two wordings under a [type]")
            for wording in map(name_key, group):
                if wording in seen:
                    raise ValueError(f"{FILE}, line {number}: '{wording}' stands on line {seen[wording]} too")
                seen[wording] = number
            groups.setdefault(section, []).append(group)
    return {kind: tuple(each) for kind, each in groups.items()}
