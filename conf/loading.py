"""Arguments -> Config.

Layers, later ones win: the defaults of conf/config.py, the profile (conf/profiles/*.yaml), `key=value` arguments in
OmegaConf's dotlist form. A wrong key, type or value is one line of ConfigError before any work.
"""

import ast
import inspect
import typing
from collections.abc import Iterator, Sequence
from dataclasses import Field, fields, is_dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from conf.config import Config, DownloadConfig
from conf.config_submit import SubmitConfig
from conf.outcome import ConfigError

T = TypeVar("T")


def profiles() -> list[str]:
    """Names of the bundled profiles."""
    folder = resources.files("conf") / "profiles"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(arguments: Sequence[str] = ()) -> Config:
    """The configuration of a run.

    Args:
        arguments: `key=value`, dotted keys; values are YAML, so lists and maps work too.

    Raises:
        ConfigError: an argument is not key=value, a key is unknown, a value has the wrong type or is out of range, or
            the profile does not exist.
    """
    for argument in arguments:
        if "=" not in argument or argument.startswith("-"):
            raise ConfigError(f"argument '{argument}' is not key=value (such as paths.max_hops=3); try --help")
    OmegaConf.register_resolver("bundled", _bundled, replace=True)
    try:
        given = OmegaConf.from_dotlist(list(arguments))
        defaults = OmegaConf.structured(Config)
        OmegaConf.set_readonly(defaults, False)
        name = str(given.get("profile", Config().profile))
        merged = OmegaConf.merge(defaults, _profile(name), given)
        config = OmegaConf.to_object(merged)
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(_explain(error)) from error
    assert isinstance(config, Config)
    _check_bounds(config, "")
    if config.judge.model and config.judge.name == "template":
        raise ConfigError(
            f"judge.model={config.judge.model} is given, but judge.name=template reads nothing: set judge.name"
        )
    return config


def load_section(section: type[T], arguments: Sequence[str]) -> T:
    """One section alone, for a command whose keys are not part of a run; keys stand without the section's name.

    Raises:
        ConfigError: a key is unknown, or a value has the wrong type or is out of range.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(section), OmegaConf.from_dotlist(list(arguments)))
        filled = OmegaConf.to_object(merged)
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(_explain(error)) from error
    assert isinstance(filled, section)
    _check_bounds(filled, "")
    return filled


def _bundled(path: str) -> str:
    return str(resources.files("conf") / path)


def _profile(name: str) -> DictConfig:
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"profile file '{name}' does not exist; bundled profiles: {', '.join(profiles())}")
        text = path.read_text(encoding="utf-8")
    elif name in profiles():
        text = (resources.files("conf") / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise ConfigError(f"profile '{name}' does not exist; there are {', '.join(profiles())}, or give a .yaml path")
    loaded = OmegaConf.create(yaml.safe_load(text) or {})
    assert isinstance(loaded, DictConfig)
    return loaded


def _explain(error: Exception) -> str:
    """One line out of OmegaConf's several, with the nearest key where one is unknown."""
    key = getattr(error, "full_key", None) or ""
    first = " ".join(str(error).splitlines()[0].split())
    if type(error).__name__ == "ConfigKeyError":
        near = get_close_matches(key, [name for name, _, _ in keys()], n=1, cutoff=0.5)
        hint = f"; did you mean '{near[0]}'?" if near else "; --help lists the keys"
        return f"unknown config key '{key}'{hint}"
    return f"config key '{key}': {first}" if key else f"config: {first}"


def _check_bounds(section: Any, prefix: str) -> None:
    for each in fields(section):
        value = getattr(section, each.name)
        key = f"{prefix}{each.name}"
        if is_dataclass(value):
            _check_bounds(value, f"{key}.")
        elif isinstance(value, list) and value and is_dataclass(value[0]):
            for number, item in enumerate(value):
                _check_bounds(item, f"{key}[{number}].")
        else:
            _check_field(each, key, value)


def _check_field(each: Field[Any], key: str, value: Any) -> None:
    if value == "???":
        raise ConfigError(f"config key '{key}' must be given")
    low, high = each.metadata.get("low"), each.metadata.get("high")
    if low is not None and value < low:
        raise ConfigError(f"config key '{key}' is {value}, below {low}")
    if high is not None and value > high:
        raise ConfigError(f"config key '{key}' is {value}, above {high}")


def keys(section: type = Config, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Every key with its default and its sentence, in the order of the classes above."""
    docs = _field_docs(section)
    hints = typing.get_type_hints(section)
    default = section() if section in {Config, SubmitConfig, *_sections()} else None
    for each in fields(section):
        key = f"{prefix}{each.name}"
        if is_dataclass(hints[each.name]):
            yield from keys(hints[each.name], f"{key}.")
        else:
            yield key, getattr(default, each.name) if default else each.default, docs.get(each.name, "")


def operational(section: type = Config, prefix: str = "") -> set[str]:
    """The keys that cannot change a result."""
    hints = typing.get_type_hints(section)
    found: set[str] = set()
    for each in fields(section):
        key = f"{prefix}{each.name}"
        if is_dataclass(hints[each.name]):
            found |= operational(hints[each.name], f"{key}.")
        elif each.metadata.get("operational"):
            found.add(key)
    return found


def _sections() -> set[type]:
    hints = typing.get_type_hints(Config).values()
    return {hint for hint in hints if isinstance(hint, type) and is_dataclass(hint)} | {DownloadConfig}


def _field_docs(section: type) -> dict[str, str]:
    """The string under each field, read from the source, which a wheel carries."""
    tree = ast.parse(inspect.getsource(section)).body[0]
    assert isinstance(tree, ast.ClassDef)
    docs: dict[str, str] = {}
    for node, following in zip(tree.body, tree.body[1:], strict=False):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[node.target.id] = inspect.cleandoc(str(following.value.value))
    return docs
