"""Which model to start from: by language, task and length, of those that are known or at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from huggingface_hub import get_local_safetensors_metadata
from huggingface_hub.errors import NotASafetensorsRepoError

from hfft.data.tokenization import UNLIMITED, longest_input
from hfft.errors import RecipeError
from hfft.models.pretrained import PretrainedSource, require_decoder
from hfft.tasks.token_classification.schemes import OUTSIDE, split_tag
from hfft.workflows.init.languages import LANGUAGES, shown
from hfft.workflows.init.options import WRITING, InitOptions

LONG = 512  # tokens, which older encoders read at most


@dataclass(frozen=True)
class Model:
    """A model to start from.

    Attributes:
        name: As a recipe has it.
        millions: Of parameters; None where that is not known.
        languages: What it was trained on, for people.
        limit: Tokens it can read; None where it has no limit, or that is not known.
        family: What its settings go by: encoder, bart, t5, mt5, marian, nllb, mbart, m2m100, conv, transformer.
        new_head: Whether it brings a head that answers something else.
        options: Of the task, that it needs.
    """

    name: str
    millions: float | None
    languages: str = ""
    limit: int | None = 512
    family: str = "encoder"
    new_head: bool = False
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def size(self) -> float:
        """Millions of parameters; a base-sized model's where they are not known."""
        return 110.0 if self.millions is None else self.millions


ENGLISH = {
    "tiny": Model("sentence-transformers/all-MiniLM-L6-v2", 23, "English, lower case"),
    "small": Model("distilbert/distilbert-base-uncased", 66, "English, lower case"),
    "base": Model("FacebookAI/roberta-base", 125, "English"),
    "large": Model("FacebookAI/roberta-large", 355, "English"),
}

ENGLISH_TAGS = {
    **ENGLISH,
    "small": Model("distilbert/distilbert-base-cased", 65, "English"),  # capitals tell names
}

ENGLISH_LONG = {
    "base": Model("answerdotai/ModernBERT-base", 149, "English", 8192),
    "large": Model("answerdotai/ModernBERT-large", 395, "English", 8192),
}

MANY = {
    "tiny": Model("distilbert/distilbert-base-multilingual-cased", 135, "104 languages"),
    "small": Model("distilbert/distilbert-base-multilingual-cased", 135, "104 languages"),
    "base": Model("FacebookAI/xlm-roberta-base", 278, "100 languages"),
    "large": Model("FacebookAI/xlm-roberta-large", 560, "100 languages"),
}

ENCODERS = {
    "de": {"base": Model("google-bert/bert-base-german-cased", 109, "German")},
    "fr": {"base": Model("almanach/camembert-base", 111, "French")},
    "zh": {"base": Model("google-bert/bert-base-chinese", 102, "Chinese")},
}

SUMMARIES = {
    "tiny": Model("google-t5/t5-small", 61, "English", 512, "t5"),
    "small": Model("google-t5/t5-small", 61, "English", 512, "t5"),
    "base": Model("facebook/bart-base", 139, "English", 1024, "bart"),
    "large": Model("facebook/bart-large", 406, "English", 1024, "bart"),
}

MANY_SUMMARIES = {
    "tiny": Model("google/mt5-small", 300, "101 languages", 1024, "mt5"),
    "small": Model("google/mt5-small", 300, "101 languages", 1024, "mt5"),
    "base": Model("google/mt5-base", 582, "101 languages", 1024, "mt5"),
    "large": Model("google/mt5-large", 1230, "101 languages", 1024, "mt5"),
}

NLLB = {
    "base": Model("facebook/nllb-200-distilled-600M", 615, "200 languages", 512, "nllb"),
    "large": Model("facebook/nllb-200-distilled-1.3B", 1370, "200 languages", 512, "nllb"),
}

WITHOUT_OPUS = ("pt", "pl", "ro", "tr", "bg", "el", "fa", "he", "th", "ja", "ko")  # from English, or to it

IMAGES = {
    "tiny": Model("google/mobilenet_v2_1.0_224", 3.5, "ImageNet-1k", None, "conv", new_head=True),
    "small": Model("facebook/convnext-tiny-224", 28.6, "ImageNet-1k", None, "conv", new_head=True),
    "base": Model("google/vit-base-patch16-224-in21k", 86, "ImageNet-21k", None, "transformer"),
    "large": Model("facebook/dinov2-large", 304, "142 million images", None, "transformer"),
}

TABLES = (ENGLISH, ENGLISH_TAGS, ENGLISH_LONG, MANY, *ENCODERS.values(), SUMMARIES, MANY_SUMMARIES, NLLB, IMAGES)


FAMILIES = {
    "opus-mt": "marian",
    "marian": "marian",
    "nllb": "nllb",
    "mbart": "mbart",
    "m2m": "m2m100",
    "mt5": "mt5",
    "byt5": "mt5",
    "t5": "t5",
    **dict.fromkeys(("resnet", "convnext", "mobilenet", "efficientnet", "regnet"), "conv"),
}
"""By what stands in a model's name, or in what transformers calls its kind: the first that does."""


def choose_model(
    task: str, wanted: InitOptions, languages: Sequence[str | None], tokens: int, labels: Sequence[str]
) -> Model:
    """The model that the user names, or one that is right for the task, the language and the size.

    Args:
        task: The task's name.
        wanted: The flags.
        languages: Of what is read, and of what is written.
        tokens: That nearly all texts have at most.
        labels: Of the data: a head that answers others is replaced.

    Raises:
        HfftError: The named model is at hand and cannot do the task.
        RecipeError: A translation's languages are not known.
    """
    if wanted.model is not None:
        pretrained = PretrainedSource(wanted.model)
        named = _at_hand(pretrained, task, labels) if pretrained.is_folder else _on_hub(pretrained, task)
        return _with_codes(named, languages) if task == "translation" else named
    size = wanted.size or "base"
    if task == "image-classification":
        return IMAGES[size]
    if task == "translation":
        return _translator(languages, size)
    if task == "summarization":
        return (SUMMARIES if languages[0] == "en" else MANY_SUMMARIES)[size]
    if languages[0] != "en":
        return ENCODERS.get(languages[0] or "", {}).get(size) or MANY[size]
    if tokens > LONG and size in ENGLISH_LONG:
        return ENGLISH_LONG[size]
    return (ENGLISH_TAGS if task == "token-classification" else ENGLISH)[size]


def _translator(languages: Sequence[str | None], size: str) -> Model:
    if None in languages:
        raise RecipeError(
            "The languages of source and target were not recognized, and the model is chosen by them: give both, such "
            "as --language en-de, or a model with --model."
        )
    source, target = languages
    if size != "large" and "en" in languages and not {*languages} & {*WITHOUT_OPUS}:
        name, spoken = f"Helsinki-NLP/opus-mt-{source}-{target}", f"{shown(source)} to {shown(target)}"
        return Model(name, 75, spoken, 512, "marian")
    return _with_codes(NLLB["large" if size == "large" else "base"], languages)


def _with_codes(model: Model, languages: Sequence[str | None]) -> Model:
    """The model with the languages as its tokenizer calls them, or as its prefixes do."""
    known = [LANGUAGES[language] for language in languages if language is not None]
    codes = {
        "nllb": [language.flores for language in known],
        "mbart": [language.mbart for language in known],
        "m2m100": [language.code for language in known],
        "t5": [language.code for language in known],
    }.get(model.family, [])
    if len(codes) < 2 or None in codes:
        return model
    return replace(model, options=tuple(zip(("source_language", "target_language"), codes, strict=True)))


def _on_hub(pretrained: PretrainedSource, task: str) -> Model:
    name = pretrained.place  # refuses what cannot be a name of the Hub
    known = next((model for table in TABLES for model in table.values() if model.name == name), None)
    limit = None if task == "image-classification" else LONG
    return known or Model(name, None, limit=limit, family=_family(name, task))


def _family(name: str, task: str) -> str:
    others = "transformer" if task == "image-classification" else "bart" if task in WRITING else "encoder"
    return next((family for part, family in FAMILIES.items() if part in name.lower()), others)


def _at_hand(pretrained: PretrainedSource, task: str, labels: Sequence[str]) -> Model:
    config, limit = pretrained.config, None
    if task == "image-classification":
        family = "conv" if getattr(config, "num_attention_heads", None) is None else "transformer"
    else:
        family, tokenizer = _family(config.model_type, task), pretrained.tokenizer()
        limit = longest_input(tokenizer, config, None)
        if family == "m2m100" and "Nllb" in type(tokenizer).__name__:
            family = "nllb"
        if family == "t5" and not getattr(config, "task_specific_params", None):
            family = "mt5"  # which was pretrained without prefixes
    if task in WRITING:
        require_decoder(pretrained)
    answered = {str(label) for label in pretrained.labels or ()}
    if task == "token-classification":
        answered = {split_tag(tag)[1] for tag in answered if tag != OUTSIDE}
    return Model(
        pretrained.name,
        _millions(pretrained.place),
        limit=limit if limit is not None and limit < UNLIMITED else None,
        family=family,
        new_head=pretrained.has_head and task not in WRITING and answered != {*labels},
    )


def _millions(folder: str) -> float | None:
    """Parameters in the files of weights, in millions; None where they are not safetensors."""
    try:
        return sum(get_local_safetensors_metadata(folder).parameter_count.values()) / 1e6
    except NotASafetensorsRepoError:
        return None
