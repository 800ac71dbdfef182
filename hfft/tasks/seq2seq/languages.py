"""Which language a model reads and writes: codes of its tokenizer, a prefix in words, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import PreTrainedTokenizerBase

from hfft.errors import RecipeError, near

SHOWN = 12  # codes listed in a message


@dataclass(frozen=True)
class Tongue:
    """What the languages, and the prefix, mean for a model.

    Attributes:
        prefix: Stands before every source.
        first: Settings of generation that make an answer begin in the target language, as token ids.
    """

    prefix: str = ""
    first: dict[str, int] = field(default_factory=dict)


def choose(
    tokenizer: PreTrainedTokenizerBase,
    config: Any,
    task: str,
    source: str | None,
    target: str | None,
    prefix: str | None,
) -> Tongue:
    """Sets the languages of a tokenizer, in place, and finds what else they decide.

    Args:
        tokenizer: The model's.
        config: The model's; T5's brings prefixes by task.
        task: "summarization" or "translation".
        source: The value of task.source_language.
        target: The value of task.target_language.
        prefix: The value of task.prefix; None takes the one that the model was pretrained with for this task.

    Raises:
        RecipeError: A language is missing, unknown, or has no effect with this model.
    """
    if hasattr(tokenizer, "src_lang"):
        return Tongue(prefix or "", _set_codes(tokenizer, source, target))
    marks = list(getattr(tokenizer, "supported_language_codes", None) or [])
    if marks:  # Marian models that write several languages: a mark before the source, such as >>deu<<
        _refuse("source_language", source)
        known = [mark.strip("<>") for mark in marks]
        return Tongue(f">>{_known('target_language', target, known)}<< {prefix or ''}")
    given = getattr(config, "task_specific_params", None) or {}
    prefixes = {name: params["prefix"] for name, params in given.items() if "prefix" in params}
    if prefix is None and task == "translation" and any(name.startswith(task) for name in prefixes):
        return Tongue(_translation_prefix(prefixes, source, target))
    own = [getattr(tokenizer, name, None) for name in ("source_lang", "target_lang")]  # Marian's, of one direction
    for name, value, fixed in (("source_language", source, own[0]), ("target_language", target, own[1])):
        if value != fixed:
            _refuse(name, value, fixed)
    return Tongue(prefixes.get(task, "") if prefix is None else prefix)


def _set_codes(tokenizer: Any, source: str | None, target: str | None) -> dict[str, int]:
    codes = list(getattr(tokenizer, "lang_code_to_id", None) or tokenizer.extra_special_tokens)
    tokenizer.src_lang = _known("source_language", source, codes)
    tokenizer.tgt_lang = _known("target_language", target, codes)
    written = tokenizer(text_target="a")["input_ids"]
    number = tokenizer.get_lang_id if hasattr(tokenizer, "get_lang_id") else tokenizer.convert_tokens_to_ids
    code = number(target)
    if written[-1] == code:  # mBART: the code ends a target, and shifting turns it to the beginning
        return {"decoder_start_token_id": code}
    assert code in written, f"{type(tokenizer).__name__} writes no code of {target}: {written}"
    return {"forced_bos_token_id": code}


def _known(name: str, value: str | None, codes: Sequence[str]) -> str:
    listed = ", ".join(codes[:SHOWN]) + (f", ... ({len(codes)} in all)" if len(codes) > SHOWN else "")
    if value is None:
        raise RecipeError(f"task.{name} is missing: this model wants a code of its tokenizer. It knows: {listed}.")
    if value not in codes:
        begins = [code for code in codes if code.lower().startswith(value.lower()[:2])]  # 'de' for 'de_DE', deu_Latn
        hint = near(value, codes) or (f" Did you mean '{begins[0]}'?" if len(begins) == 1 else "")
        raise RecipeError(
            f"task.{name} is '{value}', which this model's tokenizer does not know.{hint} It has: {listed}."
        )
    return value


def _translation_prefix(prefixes: dict[str, str], source: str | None, target: str | None) -> str:
    for setting, value in (("source_language", source), ("target_language", target)):
        if value is None:
            raise RecipeError(
                f"task.{setting} is missing: the model was pretrained with a prefix for each direction. Give both "
                "languages, or task.prefix itself ('' for none)."
            )
    known = [name for name in prefixes if name.startswith("translation")]
    name = f"translation_{source}_to_{target}"
    if name not in known:
        raise RecipeError(
            f"task.source_language is '{source}' and task.target_language '{target}': the model's configuration has no "
            f"prefix for that.{near(name, known)} It has: {', '.join(known)}. Or give task.prefix itself."
        )
    return prefixes[name]


def _refuse(name: str, value: str | None, fixed: str | None = None) -> None:
    if value is not None:
        why = f"this model has '{fixed}' for it" if fixed else "this model's tokenizer knows no such codes"
        raise RecipeError(f"task.{name} is '{value}', but {why}: leave it out.")
