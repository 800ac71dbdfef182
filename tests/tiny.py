"""Tiny models, tokenizers and data, made on the spot: one example for each task, for the laws to run on."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    GenerationConfig,
    GPT2Config,
    GPT2Model,
    LEDConfig,
    LEDForConditionalGeneration,
    M2M100Config,
    M2M100ForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    MBart50Tokenizer,
    MBartConfig,
    MBartForConditionalGeneration,
    MBartTokenizer,
    ModernBertConfig,
    ModernBertModel,
    MT5Config,
    MT5ForConditionalGeneration,
    NllbTokenizer,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PegasusTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

SIGNS = {"good": ["fine", "nice", "great"], "bad": ["poor", "awful", "weak"], "odd": ["weird", "strange", "queer"]}
FILLERS = [f"w{number}" for number in range(40)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
GERMAN = {
    "the": "das", "house": "Haus", "tree": "Baum", "dog": "Hund", "bird": "Vogel", "water": "Wasser", "child": "Kind",
    "old": "alte", "new": "neue", "big": "grosse", "red": "rote",
    "sees": "sieht", "finds": "findet", "likes": "mag",
}  # fmt: skip
"""A dictionary: English words and their German ones."""


def text_classification(folder: Path) -> dict[str, Any]:
    """Three labels, given away by one word in a text of 2 to 14; BERT with 3 blocks of 32 units."""
    bert(folder / "model")
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        write_csv(folder / f"{split}.csv", labelled_texts(rows, seed))
    return {
        "task": {"name": "text-classification", "max_length": 32},
        "data": {"root": str(folder), "files": {split: f"{split}.csv" for split in ("train", "eval", "test")}},
        "model": str(folder / "model"),
        "optim": {"lr": 3e-3},
        "train": {"epochs": 3, "batch_size": 8, "log_every": 4},
    }


def pairs(folder: Path) -> dict[str, Any]:
    """Whether two texts hold a sign of the same kind."""
    recipe = text_classification(folder)
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        firsts, seconds = labelled_texts(rows, seed), labelled_texts(rows, seed + 10)
        made = [
            {"one": a["text"], "two": b["text"], "label": "same" if a["label"] == b["label"] else "other"}
            for a, b in zip(firsts, seconds, strict=True)
        ]
        write_csv(folder / f"{split}.csv", made)
    return {**recipe, "task": {**recipe["task"], "text": ["one", "two"], "loss": "focal"}}


def several_labels(folder: Path) -> dict[str, Any]:
    """Which kinds of signs a text holds, none to three, with a threshold chosen on eval."""
    recipe = text_classification(folder)
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        write_csv(
            folder / f"{split}.csv", [{"text": r["text"], "label": "|".join(r["labels"])} for r in signs(rows, seed)]
        )
    return {**recipe, "task": {**recipe["task"], "delimiter": "|", "class_weights": "balanced"}}


def numbers(folder: Path) -> dict[str, Any]:
    """Two numbers for each text, far from 0 and of unlike size: how many signs it holds, and how many words."""
    recipe = text_classification(folder)
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        made = [
            {"text": r["text"], "signs": str(1000 + 250.5 * len(r["labels"])), "words": str(len(r["text"].split()) / 8)}
            for r in signs(rows, seed)
        ]
        write_csv(folder / f"{split}.csv", made)
    task = {**recipe["task"], "label": ["signs", "words"], "loss": {"name": "huber", "delta": 1.5}}
    return {**recipe, "task": task}


def windows(folder: Path) -> dict[str, Any]:
    """The texts of `text_classification`, read in windows of 8 tokens."""
    recipe = text_classification(folder)
    return {**recipe, "task": {**recipe["task"], "max_length": 8, "windows": {"overlap": 2}}}


def decoder(folder: Path) -> dict[str, Any]:
    """The texts of `text_classification`, read by GPT-2 with 3 blocks, which brings no pad token."""
    recipe = text_classification(folder)
    gpt2(folder / "model")
    return recipe


def streaming(folder: Path) -> dict[str, Any]:
    """The texts of `text_classification` in a folder as the Hub has them, the training rows in three files."""
    recipe = text_classification(folder)
    for split, rows, seed, files in (("train", 61, 0, 3), ("eval", 23, 1, 1), ("test", 17, 2, 1)):
        made = labelled_texts(rows, seed)
        for number in range(files):
            place = folder / "hub" / "data" / f"{split}-{number:05d}-of-{files:05d}.parquet"
            place.parent.mkdir(parents=True, exist_ok=True)
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(made[number::files]), place)
    data = {"hub": str(folder / "hub"), "streaming": True, "eval": "eval", "test": "test", "root": str(folder)}
    train = {**recipe["train"], "epochs": None, "steps": 24}
    return {**recipe, "task": {**recipe["task"], "labels": list(SIGNS)}, "data": data, "train": train}


def summarization(folder: Path) -> dict[str, Any]:
    """The signs of a text of 5 to 25 words, in order; T5 with 2 blocks a stack, two beams."""
    t5(folder / "model")
    task = {"name": "summarization", "max_source_length": 32, "max_target_length": 16, "generation": {"num_beams": 2}}
    return _seq2seq(folder, task, summaries)


def translation(folder: Path) -> dict[str, Any]:
    """Two to nine words, each replaced by its German one; NLLB with 2 blocks a stack, one beam."""
    nllb(folder / "model")
    task = {
        "name": "translation",
        "source": "en",
        "target": "de",
        "source_language": "eng_Latn",
        "target_language": "deu_Latn",
        "max_source_length": 16,
        "max_target_length": 16,
        "generation": {"num_beams": 1},
    }
    return {**_seq2seq(folder, task, translations), "optim": {"lr": 1e-2}}


def warm_start(folder: Path) -> dict[str, Any]:
    """The texts of `summarization`, read and summarized by two BERTs with 2 blocks, of which one becomes a decoder."""
    recipe = summarization(folder)
    task = {**recipe["task"], "generation": {"num_beams": 2, "min_new_tokens": 3}}
    bert(folder / "model", layers=2, spread=0.4)
    return {**recipe, "task": task, "model": {"encoder": str(folder / "model"), "decoder": str(folder / "model")}}


def references(folder: Path) -> dict[str, Any]:
    """The texts of `translation` by mBART, whose codes stand last, scored against two right answers each."""
    recipe = translation(folder)
    mbart(folder / "model")
    languages = {"source_language": "en_XX", "target_language": "de_DE"}
    return {**recipe, "task": {**recipe["task"], **languages, "references": "right"}}


TASKS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "text-classification": text_classification,
    "summarization": summarization,
    "translation": translation,
}
"""A recipe for each task, as plain values, by the task's name; the function writes model and data into a folder."""

VARIANTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "pairs": pairs,
    "several-labels": several_labels,
    "numbers": numbers,
    "windows": windows,
    "decoder": decoder,
    "streaming": streaming,
    "warm-start": warm_start,
    "references": references,
}
"""Further shapes of these tasks, for which the laws hold too."""

EXAMPLES: dict[str, Callable[[Path], dict[str, Any]]] = {**TASKS, **VARIANTS}


def labelled_texts(rows: int, seed: int) -> list[dict[str, str]]:
    """Rows of `text` and `label`, no text twice, labels of unequal share."""
    draw = random.Random(seed)
    made = []
    for number in range(rows):
        label = draw.choices(list(SIGNS), weights=(4, 2, 1))[0]
        words = [*draw.choices(FILLERS, k=draw.randint(1, 12)), draw.choice(SIGNS[label]), f"n{seed}{number}"]
        draw.shuffle(words)
        made.append({"text": " ".join(words), "label": label})
    return made


def signs(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `text` and `labels`: texts with a sign of each of none to three kinds."""
    draw = random.Random(seed)
    made = []
    for number in range(rows):
        labels = [label for label, share in zip(SIGNS, (0.6, 0.4, 0.2), strict=True) if draw.random() < share]
        words = [*draw.choices(FILLERS, k=draw.randint(1, 9)), *(draw.choice(SIGNS[label]) for label in labels)]
        words.append(f"n{seed}{number}")
        draw.shuffle(words)
        made.append({"text": " ".join(words), "labels": labels})
    return made


def summaries(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `document` and `summary`: a text with two to five signs among its words, and these signs in order."""
    draw, signs = random.Random(seed), [word for words in SIGNS.values() for word in words]
    made = []
    for _ in range(rows):
        summary = draw.choices(signs, k=draw.randint(2, 5))
        document = draw.choices(FILLERS, k=draw.randint(4, 20))
        for place, sign in zip(sorted(draw.sample(range(len(document) + 1), len(summary))), summary[::-1], strict=True):
            document.insert(place, sign)
        made.append({"document": " ".join(document), "summary": " ".join(w for w in document if w in signs)})
    return made


def translations(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows of `en`, `de` and `right`, a list of two translations: `de`, and its words the other way round."""
    draw, made = random.Random(seed), {}
    adjectives, things, verbs = (list(GERMAN)[start:end] for start, end in ((7, 11), (1, 7), (11, 14)))

    def somebody() -> list[str]:
        return ["the", *draw.sample(adjectives, k=draw.randint(0, 2)), draw.choice(things)]

    while len(made) < rows:
        words = [*somebody(), *draw.choice(([], [draw.choice(verbs), *somebody()]))]
        german = [GERMAN[word] for word in words]
        made[" ".join(words)] = [" ".join(german), " ".join(reversed(german))]
    return [{"en": english, "de": right[0], "right": right} for english, right in made.items()]


def _seq2seq(folder: Path, task: dict[str, Any], make: Callable[[int, int], list[dict[str, Any]]]) -> dict[str, Any]:
    for split, rows, seed in (("train", 61, 0), ("eval", 23, 1), ("test", 17, 2)):
        write_jsonl(folder / f"{split}.jsonl", make(rows, seed))
    return {
        "task": task,
        "data": {"root": str(folder), "files": {split: f"{split}.jsonl" for split in ("train", "eval", "test")}},
        "model": str(folder / "model"),
        "optim": {"lr": 3e-3},
        "train": {"epochs": 3, "batch_size": 8, "log_every": 4},
    }


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def bert(folder: Path, layers: int = 3, positions: int = 64, spread: float = 0.02) -> None:
    """Writes a BERT encoder without a head, seeded, and its tokenizer of whole words. `spread` is of its weights."""
    tokenizer(folder, positions)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(FILLERS) + sum(map(len, SIGNS.values())),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=positions,
        initializer_range=spread,
    )
    BertModel(config).save_pretrained(folder)


def gpt2(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a GPT-2 without a head, seeded, and its tokenizer of whole words, without a pad token."""
    words = _words()
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    end = {"unk_token": "[UNK]", "bos_token": "[SEP]", "eos_token": "[SEP]", "model_max_length": positions}
    PreTrainedTokenizerFast(tokenizer_object=made, **end).save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(words),
        n_embd=32,
        n_layer=layers,
        n_head=2,
        n_positions=positions,
        bos_token_id=3,
        eos_token_id=3,
    )
    GPT2Model(config).save_pretrained(folder)


def tokenizer(folder: Path, positions: int) -> None:
    """Writes a tokenizer of whole words with BERT's special tokens."""
    words = _words()
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=positions,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)


def _words() -> list[str]:
    return [*SPECIAL, *FILLERS, *(word for sign in SIGNS.values() for word in sign)]


def roberta(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a RoBERTa without a head, seeded; its positions are counted from behind the padding index."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    words = [*special, *_words()[len(SPECIAL) :]]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False)
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        **dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), special, strict=True)),
        cls_token="<s>",
        sep_token="</s>",
        model_max_length=positions,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(0)
    RobertaModel(RobertaConfig(**_encoder(layers, positions + 2), type_vocab_size=1)).save_pretrained(folder)


DEBERTA_3: dict[str, Any] = {
    "relative_attention": True,
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
}
"""What sets version 3 apart: positions told by their distance."""


def deberta(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a DeBERTa without a head, seeded, with version 3's relative positions."""
    tokenizer(folder, positions)
    torch.manual_seed(0)
    config = DebertaV2Config(**_encoder(layers, positions), **DEBERTA_3, type_vocab_size=0)
    DebertaV2Model(config).save_pretrained(folder)


def modernbert(folder: Path, layers: int = 3, positions: int = 64) -> None:
    """Writes a ModernBERT without a head, seeded; two of three blocks look at 8 tokens on each side only."""
    tokenizer(folder, positions)
    inputs = ["input_ids", "attention_mask"]  # it knows no token types
    PreTrainedTokenizerFast.from_pretrained(folder, model_input_names=inputs).save_pretrained(folder)
    torch.manual_seed(0)
    start, end = dict.fromkeys(("bos_token_id", "cls_token_id"), 2), dict.fromkeys(("eos_token_id", "sep_token_id"), 3)
    settings: dict[str, Any] = {**start, **end, "pad_token_id": 0, "local_attention": 16}
    ModernBertModel(ModernBertConfig(**_encoder(layers, positions), **settings)).save_pretrained(folder)


def _encoder(layers: int, positions: int) -> dict[str, Any]:
    """What the configurations of encoders have in common."""
    return {
        "vocab_size": len(_words()),
        "hidden_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": positions,
    }


def t5(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes a T5, seeded, with the prefixes that version 1.0 was trained with in its configuration."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    sentinels = [(f"<extra_id_{number}>", 0.0) for number in reversed(range(100))]
    vocabulary = [*special, *_unigrams(), *sentinels]
    prompts = {"summarization": "summarize: ", "translation_en_to_de": "translate English to German: "}
    settings: dict[str, Any] = {
        "task_specific_params": {name: {"num_beams": 4, "prefix": prefix} for name, prefix in prompts.items()}
    }
    config = T5Config(**_t5(layers, len(vocabulary)), **settings)
    _write(folder, T5ForConditionalGeneration, config, T5Tokenizer(vocabulary, model_max_length=positions))


def mt5(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an mT5, seeded: gated, its output layer apart from its embeddings, no prefix, no sentinels."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *_unigrams()]
    config = MT5Config(**_t5(layers, len(vocabulary)), feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    tokenizer = T5Tokenizer(vocabulary, extra_ids=0, model_max_length=positions)
    _write(folder, MT5ForConditionalGeneration, config, tokenizer)


def bart(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes a BART, seeded; it starts with the end token, and its first own token is forced: the start token."""
    tokenizer = _byte_pairs(positions)
    config = BartConfig(**_stacks(layers, len(tokenizer)), max_position_embeddings=positions)
    generation = {"forced_bos_token_id": 0, "no_repeat_ngram_size": 3, "num_beams": 4, "early_stopping": True}
    _write(folder, BartForConditionalGeneration, config, tokenizer, **generation, forced_eos_token_id=2)


def led(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an LED, seeded, whose encoder looks at 8 tokens on each side."""
    tokenizer = _byte_pairs(positions)
    config = LEDConfig(
        **_stacks(layers, len(tokenizer)),
        attention_window=[16] * layers,
        max_encoder_position_embeddings=positions,
        max_decoder_position_embeddings=min(positions, 1024),
    )
    _write(folder, LEDForConditionalGeneration, config, tokenizer)


def pegasus(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes a PEGASUS, seeded; the decoder starts with padding, and no text begins with a special token."""
    special = ["<pad>", "</s>", "<mask_1>", "<mask_2>", *(f"<unk_{number}>" for number in range(2, 103)), "<unk>"]
    vocabulary = [*((token, 0.0) for token in special), *_unigrams()]
    config = PegasusConfig(**_stacks(layers, len(vocabulary)), max_position_embeddings=positions, scale_embedding=True)
    tokenizer = PegasusTokenizer(vocabulary, model_max_length=positions)
    generation = {"num_beams": 8, "length_penalty": 0.8, "forced_eos_token_id": 1}
    _write(folder, PegasusForConditionalGeneration, config, tokenizer, **generation)


def mbart(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an mBART, seeded: a language's code is the last token, and the decoder starts with it."""
    vocabulary = [*_fairseq(), *_unigrams(), *_unigrams(MBartTokenizer().lang_code_to_id, ""), ("<mask>", 0.0)]
    tokenizer = MBartTokenizer(vocabulary, model_max_length=positions)
    start = {"decoder_start_token_id": tokenizer.convert_tokens_to_ids("ro_RO")}  # of one language, for its own task
    settings: dict[str, Any] = {"scale_embedding": True, "task_specific_params": {"translation_en_to_ro": start}}
    config = MBartConfig(**_stacks(layers, len(vocabulary)), max_position_embeddings=positions, **settings)
    _write(folder, MBartForConditionalGeneration, config, tokenizer, num_beams=5, forced_eos_token_id=2)


def mbart50(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an mBART-50, seeded: a language's code is the first token, forced where the decoder writes."""
    vocabulary = [*_fairseq(), *_unigrams(), *_unigrams(MBart50Tokenizer().lang_code_to_id, ""), ("<mask>", 0.0)]
    settings: dict[str, Any] = {"scale_embedding": True, "decoder_start_token_id": 2}
    config = MBartConfig(**_stacks(layers, len(vocabulary)), max_position_embeddings=positions, **settings)
    tokenizer = MBart50Tokenizer(vocabulary, src_lang="en_XX", model_max_length=positions)
    generation = {"num_beams": 5, "forced_eos_token_id": 2}
    _write(folder, MBartForConditionalGeneration, config, tokenizer, **generation)


def nllb(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an NLLB, seeded: an M2M100 with 202 languages, whose code is the first token of either text."""
    vocabulary, merges = _merges(["▁"])
    numbered = {token: number for number, token in enumerate([*(name for name, _ in _fairseq()), *vocabulary])}
    tokenizer = NllbTokenizer(numbered, merges, model_max_length=positions)
    _write(folder, M2M100ForConditionalGeneration, _m2m100(layers, len(tokenizer), positions), tokenizer)


def m2m100(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an M2M100, seeded, which drops whole blocks in training. Needs sentencepiece."""
    from transformers import M2M100Tokenizer

    pieces = _sentencepiece(folder / "sentencepiece.bpe.model")
    names = [name for name, _ in _fairseq()]
    write_json(folder / "vocab.json", {token: number for number, token in enumerate([*names, *pieces])})
    files = str(folder / "vocab.json"), str(folder / "sentencepiece.bpe.model")
    codes = list(M2M100Tokenizer(*files).lang_token_to_id)  # the Hub's files say that they are special
    tokenizer = M2M100Tokenizer(*files, model_max_length=positions, additional_special_tokens=codes)
    size = max(tokenizer.lang_token_to_id.values()) + 1 + tokenizer.num_madeup_words
    config = _m2m100(layers, size, positions, encoder_layerdrop=0.05, decoder_layerdrop=0.05)
    generation = {"num_beams": 5, "early_stopping": True}
    _write(folder, M2M100ForConditionalGeneration, config, tokenizer, **generation)


def marian(folder: Path, layers: int = 2, positions: int = 64) -> None:
    """Writes an OPUS-MT, seeded; its decoder starts with padding, the last token. Needs sentencepiece."""
    from transformers import MarianTokenizer

    pieces = _sentencepiece(folder / "source.spm")
    _sentencepiece(folder / "target.spm")
    write_json(folder / "vocab.json", {t: number for number, t in enumerate(["</s>", "<unk>", *pieces, "<pad>"])})
    files = str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json")
    tokenizer = MarianTokenizer(*files, source_lang="en", target_lang="de", model_max_length=positions)
    last = len(tokenizer) - 1
    config = MarianConfig(
        **_stacks(layers, last + 1),
        max_position_embeddings=positions,
        scale_embedding=True,
        pad_token_id=last,
        decoder_start_token_id=last,
    )
    generation = {"bad_words_ids": [[last]], "num_beams": 6, "forced_eos_token_id": 0}
    _write(folder, MarianMTModel, config, tokenizer, **generation)


def _write(
    folder: Path, kind: type[PreTrainedModel], config: Any, tokenizer: PreTrainedTokenizerBase, **generation: Any
) -> None:
    """Writes a seeded model, its tokenizer and what its kind generates with."""
    torch.manual_seed(0)
    model: Any = kind(config)
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    numbers = {name: getattr(config, name, None) for name in names}
    model.generation_config = GenerationConfig(**numbers, **generation)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _stacks(layers: int, words: int) -> dict[str, Any]:
    """What the configurations of BART and its kin share. With smaller weights all answers would be the same."""
    names = {"layers": layers, "ffn_dim": 48, "attention_heads": 2}
    both = {f"{stack}_{name}": value for stack in ("encoder", "decoder") for name, value in names.items()}
    return {"vocab_size": words, "d_model": 32, "init_std": 0.2, **both}


def _t5(layers: int, words: int) -> dict[str, Any]:
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": layers, "num_heads": 2}
    return {"vocab_size": words, **sizes, "decoder_start_token_id": 0}


def _m2m100(layers: int, words: int, positions: int, **settings: Any) -> M2M100Config:
    drop = {"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, **settings}
    return M2M100Config(**_stacks(layers, words), **drop, max_position_embeddings=positions)


def _fairseq() -> list[tuple[str, float]]:
    return [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]


def _seq2seq_words() -> list[str]:
    prompt = ["summarize:", "translate", "English", "to", "German:"]
    return [*_words()[len(SPECIAL) :], *GERMAN, *GERMAN.values(), *prompt]


def _unigrams(words: Iterable[str] | None = None, mark: str = "▁") -> list[tuple[str, float]]:
    """The vocabulary of a unigram tokenizer of whole words."""
    return [(f"{mark}{word}", -1.0) for word in words or ["", *_seq2seq_words()]]


def _merges(marks: list[str]) -> tuple[list[str], Any]:
    """The vocabulary and merges of a byte pair tokenizer that puts words together from the left, behind any mark."""
    marked = [mark + word for mark in marks for word in _seq2seq_words()]
    starts = list(dict.fromkeys(word[:end] for word in marked for end in range(2, len(word) + 1)))
    return sorted({letter for word in marked for letter in word}) + starts, [(w[:-1], w[-1]) for w in starts]


def _byte_pairs(positions: int) -> PreTrainedTokenizerBase:
    """The tokenizer of BART and LED; a word behind a space is another than one at the start of a text."""
    vocabulary, merges = _merges(["Ġ", ""])
    tokens = [*(name for name, _ in _fairseq()), *vocabulary, "<mask>"]
    numbered = {token: number for number, token in enumerate(tokens)}
    return RobertaTokenizer(numbered, merges, model_max_length=positions)


def _sentencepiece(file: Path) -> list[str]:
    """Writes a SentencePiece model of whole words, and gives its pieces."""
    import sentencepiece

    words, made = _seq2seq_words(), BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words),
        model_writer=made,
        model_type="word",
        vocab_size=len(words) + 3,
        minloglevel=2,
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(made.getvalue())
    return [f"▁{word}" for word in words]
