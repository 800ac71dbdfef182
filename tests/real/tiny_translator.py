"""Makes the model that `recipes/tiny_multi30k.yaml` starts from: new weights, and a tokenizer trained on the data.

    python tests/real/tiny_translator.py path/to/multi30k_en_de models/tiny_multi30k

The model is a Marian (Junczys-Dowmunt et al. 2018) of 3 blocks a stack, 256 units and 6 million parameters: between the
"Tiny" and the "Small" of Wu et al. 2021 ("Good for Misconceived Reasons", ACL), which have 3 and 37 million.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import GenerationConfig, MarianConfig, MarianMTModel, PreTrainedTokenizerFast

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
POSITIONS = 128
UNITS = 256


def make(data: Path, folder: Path, words: int = 8000) -> int:
    """Writes tokenizer and model, and returns the number of parameters.

    Args:
        data: Holds train.jsonl with the columns `en` and `de`, of which the tokenizer is made.
        folder: Where to write.
        words: Of the vocabulary that both languages share.
    """
    rows = [json.loads(line) for line in (data / "train.jsonl").read_text("utf-8").splitlines()]
    tokenizer = _tokenizer([row[side] for row in rows for side in ("en", "de")], words)
    tokenizer.save_pretrained(folder)
    model = _model(len(tokenizer))
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def _tokenizer(texts: list[str], words: int) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE(unk_token=UNKNOWN))
    made.normalizer = normalizers.NFKC()  # type: ignore[assignment]
    made.pre_tokenizer = pre_tokenizers.Metaspace()  # type: ignore[assignment]
    made.decoder = decoders.Metaspace()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(vocab_size=words, special_tokens=[PAD, END, UNKNOWN], show_progress=False)
    made.train_from_iterator(texts, trainer)
    made.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])  # type: ignore
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=POSITIONS,
        model_input_names=["input_ids", "attention_mask"],
    )


def _model(words: int) -> MarianMTModel:
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=words,
        d_model=UNITS,
        encoder_layers=3,
        encoder_attention_heads=4,
        encoder_ffn_dim=512,
        decoder_layers=3,
        decoder_attention_heads=4,
        decoder_ffn_dim=512,
        max_position_embeddings=POSITIONS,
        activation_function="relu",
        scale_embedding=True,
        dropout=0.1,
        pad_token_id=0,
        eos_token_id=1,
        forced_eos_token_id=None,
        decoder_start_token_id=0,
    )
    model = MarianMTModel(config)
    tokens = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "bad_words_ids": [[0]]}
    model.generation_config = GenerationConfig(num_beams=4, **tokens)
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes a small translation model with new weights.")
    parser.add_argument("data", type=Path, help="the folder of train.jsonl")
    parser.add_argument("folder", type=Path, help="where to write tokenizer and model")
    arguments = parser.parse_args()
    print(f"{make(arguments.data, arguments.folder):,} parameters in {arguments.folder}")
