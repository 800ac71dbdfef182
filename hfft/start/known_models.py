"""The table of models that `hfft init` proposes: well-known ones on the Hub, by task, language and size.

Sizes are what their papers or model cards give, in millions of parameters, rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
        at_hand: Whether it lies on this machine.
    """

    name: str
    millions: float | None
    languages: str = ""
    limit: int | None = 512
    family: str = "encoder"
    new_head: bool = False
    note: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    at_hand: bool = False

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
