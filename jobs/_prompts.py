"""The prompts of a step in MLflow's prompt registry: a new version where a file's hash is new.

A request carries the hash of its prompt, not the registry's number: two registries number differently, and a request whose
id followed from a number would be asked, and paid for, again. The registry says which version a hash is: each version
bears the hash as a tag and as an alias.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from conf.config import Config
from conf.fingerprint import resource_digest
from conf.flow import Step
from medreason_ray.prompt import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFile:
    """A bundled prompt under the name that the registry has it by."""

    name: str
    stem: str
    text: str
    hash: str
    """As in replies.prompt_hash and chains.prompt_hash."""


def prompts_of(step: Step, config: Config) -> list[PromptFile]:
    """The prompts that a step may ask with."""
    found = [name for name in (*step.resources, *step.prompts) if name.endswith(".md")]
    return [_read(name, config) for name in found]


def register(client: Any, prompt: PromptFile) -> Any:
    """The registry's version of a prompt; made where there is none of its hash.

    Args:
        client: an MlflowClient.
        prompt: the file.

    Raises:
        MlflowException: the registry does not answer, or does not take it.
    """
    from mlflow.exceptions import MlflowException

    alias = f"hash-{prompt.hash}"
    try:
        found = client.get_prompt_version_by_alias(prompt.name, alias)
    except MlflowException as error:
        if error.get_http_status_code() not in {400, 404}:
            raise
        found = None
    if found is not None:
        return found
    made = client.register_prompt(
        prompt.name,
        Prompt(prompt.text, prompt.hash).with_double_braces(),
        commit_message=f"{prompt.stem}.md, hash {prompt.hash}",
        tags={"prompt_hash": prompt.hash},
    )
    client.set_prompt_alias(prompt.name, alias, made.version)
    return made


def _read(name: str, config: Config) -> PromptFile:
    package, _, path = name.partition("/")
    stem = PurePosixPath(path).stem
    # Unity Catalog keeps prompts in a schema; elsewhere a name has one level.
    where = f"{config.lake.catalog}.{config.lake.schema}.medreason_" if config.lake.catalog else "medreason-"
    text = (resources.files(package) / path).read_text(encoding="utf-8")
    return PromptFile(name=f"{where}{stem}", stem=stem, text=text, hash=resource_digest(name))
