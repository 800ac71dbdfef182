"""Which model to start from: by language, task and length, of those that are known or at hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import safe_open

from hfft.errors import RecipeError
from hfft.models.pretrained import PretrainedSource, require_decoder
from hfft.tasks.token_classification.schemes import OUTSIDE, split_tag
from hfft.workflows.init.languages import LANGUAGES, shown
from hfft.workflows.init.state import InitOptions

LONG = 512  # tokens, which older encoders read at most


def choose_model(
    task: str, wanted: InitOptions, languages: Sequence[str | None], tokens: int, labels: Sequence[str]
) -> Model:
    """The model that the user names, or one that is right for the task, the language and the size.

    Args:
        task: The task's name.
        wanted: Of the user.
        languages: Of what is read; of translations the target's too.
        tokens: That nearly all texts have at most.
        labels: Of the data: a head that answers others is replaced.

    Raises:
        HfftError: The named model is at hand and cannot do the task.
        RecipeError: A translation's languages are not known.
    """
    if wanted.model is not None:
        return _named(wanted.model, task, languages, labels)
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
    source, target = (_known(language) for language in languages)
    pair = {source, target}
    if "en" in pair and pair <= {"en", *OPUS_WITH_ENGLISH} and size != "large":
        name, spoken = f"Helsinki-NLP/opus-mt-{source}-{target}", f"{shown(source)} to {shown(target)}"
        return Model(name, 75, spoken, 512, "marian", note=SENTENCEPIECE)
    return _with_codes(NLLB_LARGE if size == "large" else NLLB, [source, target])


def _known(language: str | None) -> str:
    if language is None:
        raise RecipeError(
            "The languages of source and target were not recognized, and the model is chosen by them: give both, such "
            "as --language en-de, or a model with --model."
        )
    return language


def _with_codes(model: Model, languages: Sequence[str | None]) -> Model:
    """The model with the codes of the languages as its tokenizer has them, or as its prefixes do."""
    if None in languages:
        return model
    known = [LANGUAGES[language] for language in languages if language is not None]
    codes = {
        "nllb": [language.flores for language in known],
        "mbart": [language.mbart for language in known],
        "m2m100": [language.code for language in known],
        "t5": [language.code for language in known],
    }.get(model.family)
    if codes is None or None in codes:
        return model
    return replace(model, options=tuple(zip(("source_language", "target_language"), codes, strict=True)))


def _named(name: str, task: str, languages: Sequence[str | None], labels: Sequence[str]) -> Model:
    pretrained = PretrainedSource(name)
    if pretrained.is_folder:
        return _at_hand(pretrained, task, languages, labels)
    assert pretrained.place  # refuses what cannot be a name of the Hub
    listed = [model for table in TABLES for model in table.values()] + [NLLB, NLLB_LARGE]
    known = next((model for model in listed if model.name == name), None)
    family = known.family if known else _family_of_name(name, task)
    made = known or Model(name, None, limit=None if task == "image-classification" else LONG, family=family)
    return _with_codes(made, languages) if task == "translation" else made


def _family_of_name(name: str, task: str) -> str:
    lower = name.lower()
    if task == "image-classification":
        convolutions = ("resnet", "convnext", "mobilenet", "efficientnet", "regnet")
        return "conv" if any(part in lower for part in convolutions) else "transformer"
    for part, family in (
        ("opus-mt", "marian"),
        ("nllb", "nllb"),
        ("m2m100", "m2m100"),
        ("mbart", "mbart"),
        ("t5", "t5"),
    ):
        if part in lower:
            return family
    return "encoder" if task in ("text-classification", "token-classification") else "bart"


def _at_hand(pretrained: PretrainedSource, task: str, languages: Sequence[str | None], labels: Sequence[str]) -> Model:
    config, name = pretrained.config, pretrained.name
    writes = task in ("summarization", "translation")
    if writes:
        require_decoder(pretrained)
    family = _family_of_config(pretrained, task)
    limit = None if task == "image-classification" else _limit(config)
    answered = {str(label) for label in pretrained.labels or ()}
    if task == "token-classification":
        answered = {split_tag(tag)[1] for tag in answered if tag != OUTSIDE}
    other_head = pretrained.has_head and not writes and answered != {*labels}
    made = Model(name, _millions(Path(pretrained.place)), "", limit, family, new_head=other_head)
    prefixes = family != "t5" or bool(getattr(config, "task_specific_params", None))
    return _with_codes(made, languages) if task == "translation" and prefixes else made


def _family_of_config(pretrained: PretrainedSource, task: str) -> str:
    kind = pretrained.config.model_type
    if task == "image-classification":
        return "conv" if getattr(pretrained.config, "num_attention_heads", None) is None else "transformer"
    if kind == "m2m_100":
        return "nllb" if "Nllb" in type(pretrained.tokenizer()).__name__ else "m2m100"
    known = {"mt5": "t5", "umt5": "t5", "t5": "t5", "marian": "marian", "mbart": "mbart", "bart": "bart"}
    return known.get(kind, "bart" if task in ("summarization", "translation") else "encoder")


def _limit(config: Any) -> int | None:
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if config.model_type in ("t5", "mt5", "umt5") or positions is None:
        return None
    behind = config.model_type in ("roberta", "xlm-roberta", "camembert")  # they count from behind the padding index
    return positions - (config.pad_token_id + 1 if behind else 0)


def _millions(folder: Path) -> float | None:
    """Parameters in the files of weights, in millions; None where they cannot be read so."""
    count = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "np") as held:
            count += sum(math.prod(held.get_slice(name).get_shape()) for name in held.keys())  # noqa: SIM118
    return count / 1e6 or None


SENTENCEPIECE = "its tokenizer needs: pip install 'hfft[sentencepiece]'"


@dataclass(frozen=True)
class Model:
    """A model to start from.

    Attributes:
        name: As a recipe has it.
        millions: Of parameters; None where that is not known.
        languages: What it was trained on, for people.
        limit: Tokens it can read; None where it has no limit, or that is not known.
        family: What its settings go by: encoder, t5, bart, marian, nllb, mbart, m2m100, conv, transformer.
        new_head: Whether it brings a head that answers something else.
        note: What else to know.
        options: Of the task, that it needs.
    """

    name: str
    millions: float | None
    languages: str = ""
    limit: int | None = 512
    family: str = "encoder"
    new_head: bool = False
    note: str = ""
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
    "tiny": Model("google/mt5-small", 300, "101 languages", 1024, "t5", note=SENTENCEPIECE),
    "small": Model("google/mt5-small", 300, "101 languages", 1024, "t5", note=SENTENCEPIECE),
    "base": Model("google/mt5-base", 582, "101 languages", 1024, "t5", note=SENTENCEPIECE),
    "large": Model("google/mt5-large", 1230, "101 languages", 1024, "t5", note=SENTENCEPIECE),
}

NLLB = Model("facebook/nllb-200-distilled-600M", 615, "200 languages", 512, "nllb")

NLLB_LARGE = Model("facebook/nllb-200-distilled-1.3B", 1370, "200 languages", 512, "nllb")

OPUS_WITH_ENGLISH = (
    "de",
    "fr",
    "es",
    "it",
    "nl",
    "ru",
    "zh",
    "ar",
    "sv",
    "fi",
    "da",
    "cs",
    "hi",
    "hu",
    "uk",
    "vi",
    "id",
)

IMAGES = {
    "tiny": Model("google/mobilenet_v2_1.0_224", 3.5, "ImageNet-1k", None, "conv", new_head=True),
    "small": Model("facebook/convnext-tiny-224", 28.6, "ImageNet-1k", None, "conv", new_head=True),
    "base": Model("google/vit-base-patch16-224-in21k", 86, "ImageNet-21k", None, "transformer"),
    "large": Model("facebook/dinov2-large", 304, "142 million images", None, "transformer"),
}

TABLES = (ENGLISH, ENGLISH_TAGS, ENGLISH_LONG, MANY, *ENCODERS.values(), SUMMARIES, MANY_SUMMARIES, IMAGES)
