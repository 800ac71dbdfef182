"""Summaries and translations: what is asked, what is counted, and what is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import sacrebleu
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from rouge_score.rouge_scorer import RougeScorer
from transformers import GenerationConfig

import hfft
from hfft.errors import DataError, ModelError, RecipeError, SetupError
from hfft.tasks.seq2seq.generation import Generation, complete
from hfft.testing import events, predictions
from hfft.workflows.build import build
from hfft.workflows.resolve import resolve
from tests.laws.runs import assembled, train
from tests.tiny import bart, gpt2

SHORT = ["train.epochs=null", "train.steps=2"]


def results(folder):
    return json.loads((folder / "results.json").read_text("utf-8"))


def write_jsonl(path: Path, rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def changed(recipe, **splits):
    """The recipe with other files for some of its splits."""
    root = Path(recipe["data"]["root"])
    files = {split: str(root / name) for split, name in recipe["data"]["files"].items()}
    return {**recipe, "data": {"files": {**files, **splits}}}


@pytest.mark.parametrize("task", ["translation", "references"])
def test_bleu_chrf_and_ter_are_those_of_sacrebleu_on_the_predictions_file(tiny, tmp_path, task):
    train(tiny(task), tmp_path / "run", "train.epochs=2")
    rows = predictions(tmp_path / "run")
    answers = [row["answer"] for row in rows]
    truths = [[row["truth"]] if isinstance(row["truth"], str) else row["truth"] for row in rows]
    references = [list(column) for column in zip(*truths, strict=True)]
    found = {name: entry["value"] for name, entry in results(tmp_path / "run")["eval"].items()}
    for name, metric in (("bleu", sacrebleu.BLEU()), ("chrf", sacrebleu.CHRF()), ("ter", sacrebleu.TER())):
        assert found[name] == pytest.approx(metric.corpus_score(answers, references).score, abs=1e-6)
        assert results(tmp_path / "run")["eval_answers"]["signatures"][name] == str(metric.get_signature())


def test_rouge_is_that_of_rouge_score_on_the_predictions_file(tiny, tmp_path):
    train(tiny("summarization"), tmp_path / "run", "train.epochs=2")
    rows = predictions(tmp_path / "run")
    found = results(tmp_path / "run")["eval"]
    evaluator = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=True)
    scores = [evaluator.score(row["truth"], row["answer"]) for row in rows]
    for name in scores[0]:
        assert found[name]["value"] == pytest.approx(sum(s[name].fmeasure for s in scores) / len(rows), abs=1e-6)


def test_some_rows_are_scored_while_training_and_all_at_the_end(tiny, tmp_path):
    given = ["eval.while_training=5", "train.keep_best=chrf", "train.epochs=2"]
    train(tiny("translation"), tmp_path / "run", *given)
    assert [row["examples"] for row in events(tmp_path / "run", "eval")] == [5, 5]
    assert len(predictions(tmp_path / "run")) == results(tmp_path / "run")["eval_examples"] == 23
    train(tiny("translation"), tmp_path / "all", *given, "eval.while_training=all")
    assert [row["examples"] for row in events(tmp_path / "all", "eval")] == [23, 23]


def test_what_is_answered_at_once_changes_no_answer(tiny, tmp_path):
    given = ["train.epochs=2", "train.seed=1", "train.eval_every=16"]
    train(tiny("translation"), tmp_path / "run", *given)
    for setting in ("eval.batch_tokens=20", "eval.batch_size=1", "eval.batch_tokens=100000"):
        train(tiny("translation"), tmp_path / setting, *given, setting)
        assert predictions(tmp_path / setting, "test") == predictions(tmp_path / "run", "test")


def test_what_is_sampled_is_drawn_anew_for_other_seeds_of_rows_and_is_the_same_in_every_evaluation(tiny, tmp_path):
    sampling = "task.generation={do_sample: true, top_k: 20, temperature: 2.0}"
    for name in ("one", "two"):
        train(tiny("translation"), tmp_path / name, *SHORT, sampling)
    assert predictions(tmp_path / "one") == predictions(tmp_path / "two")
    assert len({row["answer"] for row in predictions(tmp_path / "one")}) > 5
    kept = json.loads((tmp_path / "one" / "model" / "generation_config.json").read_text())
    assert (kept["do_sample"], kept["num_beams"], kept["top_k"]) == (True, 1, 20)


def test_a_nested_column_is_named_with_a_dot(tiny, tmp_path):
    plain = tiny("translation")
    lines = Path(plain["data"]["root"], "train.jsonl").read_text("utf-8").splitlines()
    nested = [{"translation": json.loads(line)} for line in lines]
    recipe = changed(
        plain, **{split: write_jsonl(tmp_path / "nested.jsonl", nested) for split in plain["data"]["files"]}
    )
    names = ["task.source=translation.en", "task.target=translation.de"]
    run = train(recipe, tmp_path / "run", *SHORT, *names)
    assert [row["truth"] for row in predictions(run.folder)] == [json.loads(line)["de"] for line in lines]
    asked = hfft.predict(run.folder, [tmp_path / "nested.jsonl"])
    assert [row["answer"] for row in asked] == [row["answer"] for row in predictions(run.folder)]
    with pytest.raises(DataError, match=r"task.source is 'translation.fr'.*It has: translation.de, translation.en"):
        train(recipe, tmp_path / "none", *SHORT, "task.source=translation.fr", names[1])


def test_rows_without_a_target_are_left_out_and_counted(tiny, tmp_path):
    rows = [{"en": f"w{n} w{n + 1}", "de": [f"w{n}", "", None][n % 3]} for n in range(12)]
    recipe = changed(tiny("translation"), train=write_jsonl(tmp_path / "t.jsonl", rows))
    plan = hfft.plan(hfft.Recipe.from_dict(recipe, *SHORT))
    assert plan.splits["train"]["rows"] == 4
    assert any("train: 8 of 12 rows (66.7%) have no target and are left out" in text for text in plan.warnings)


def test_a_row_without_a_source_is_named(tiny, tmp_path):
    rows = [{"en": "w1", "de": "w1"}, {"en": "w2", "de": "w2"}, {"en": None, "de": "w3"}]
    recipe = changed(tiny("translation"), train=write_jsonl(tmp_path / "t.jsonl", rows))
    with pytest.raises(DataError, match=r"task.source: in row 2 of the train split the column 'en' is missing"):
        train(recipe, tmp_path / "run", *SHORT)


def test_a_target_that_is_a_list_is_told_to_be_references(tiny, tmp_path):
    rows = [{"en": "w1", "de": ["a", "b"]}]
    recipe = changed(tiny("translation"), train=write_jsonl(tmp_path / "t.jsonl", rows))
    with pytest.raises(DataError, match=r"which is no text. Several right answers go into task.references"):
        train(recipe, tmp_path / "run", *SHORT)


def test_what_is_cut_is_counted_on_both_sides(tiny, tmp_path):
    rows = [{"en": "w1 " * 40, "de": "w1 w2"}, {"en": "w3", "de": "w1 " * 30}, {"en": "w4", "de": "w5"}]
    recipe = changed(tiny("translation"), train=write_jsonl(tmp_path / "t.jsonl", rows))
    plan = hfft.plan(hfft.Recipe.from_dict(recipe, *SHORT, "task.max_source_length=12", "task.max_target_length=9"))
    assert any("have a source that is cut to 12 tokens: row 0" in text for text in plan.warnings)
    assert any("have a target that is cut to 9 tokens: row 1" in text for text in plan.warnings)
    assert plan.splits["train"]["tokens"]["longest"] == 12
    assert (plan.splits["train"]["source_cut"], plan.splits["train"]["target_cut"]) == (1, 1)


def test_findings_name_blank_sources_and_targets_equal_to_them(tiny, tmp_path):
    rows = [{"en": " ", "de": "w1"}, {"en": "w3 w4", "de": "W3  w4"}, {"en": "w4", "de": "w5"}]
    recipe = changed(tiny("translation"), train=write_jsonl(tmp_path / "t.jsonl", rows))
    warnings = hfft.plan(hfft.Recipe.from_dict(recipe, *SHORT)).warnings
    assert any("have an empty source: row 0" in text for text in warnings)
    assert any("have a target equal to the source: row 1" in text for text in warnings)


def test_special_tokens_in_the_data_are_counted_and_no_part_of_the_truth(tiny, tmp_path):
    rows = [{"en": "w1 </s>", "de": "w1"}, {"en": "w3", "de": "w4 w5 </s>"}, {"en": "w4", "de": "w6\n<pad> w7"}]
    file = write_jsonl(tmp_path / "t.jsonl", rows)
    made = assembled(changed(tiny("translation"), train=file, eval=file))
    for split in ("train", "eval"):
        found = [text for text in made.warnings if text.startswith(split) and "special tokens" in text]
        assert "1 of 3 rows (33.3%) have special tokens of the tokenizer (</s>) in the source" in found[0]
        assert "2 of 3 rows (66.7%) have special tokens of the tokenizer (</s>, <pad>) in the target" in found[1]
        assert found[1].endswith("scores are of texts without them: rows 1, 2")
    assert made.prepared.splits["eval"].labels == ["w1", "w4 w5", "w6\n w7"]


def test_targets_that_rouge_cannot_read_are_counted(tiny, tmp_path):
    rows = [{"document": "w1", "summary": "хорошо"}, {"document": "w2", "summary": "fine"}]
    recipe = changed(tiny("summarization"), eval=write_jsonl(tmp_path / "e.jsonl", rows))
    warnings = hfft.plan(hfft.Recipe.from_dict(recipe, *SHORT)).warnings
    assert any(
        "eval: 1 of 2 rows (50.0%) have a target most of whose letters are not a to z" in text for text in warnings
    )


def test_what_metrics_read_of_a_language_without_spaces_is_told(tiny, tmp_path):
    rows = [{"en": "w1", "de": "政府今天宣布"}, {"en": "w2", "de": "新的政策"}]
    recipe = changed(tiny("translation"), eval=write_jsonl(tmp_path / "e.jsonl", rows))
    for given, told in (
        ("null", "BLEU reads them by the tokenizer 'zh'"),
        ("13a", "leave it out for 'zh'"),
        ("zh", None),
    ):
        warnings = hfft.plan(hfft.Recipe.from_dict(recipe, *SHORT, f"task.bleu_tokenize={given}")).warnings
        found = [text for text in warnings if "have a target in Chinese, without spaces between words" in text]
        assert [told is not None and told in text for text in found] == [True] * (told is not None)


def test_odd_answers_are_counted_beside_the_scores(tiny, tmp_path):
    train(tiny("summarization"), tmp_path / "run", *SHORT)
    remarks = results(tmp_path / "run")["remarks"]
    flagged = [row for row in predictions(tmp_path / "run") if "cut off" in row["flags"]]
    assert flagged
    assert all(len(row["tokens"]) == 16 for row in flagged)
    assert any(text.startswith(f"eval: {len(flagged)} of 23 rows") and "no more tokens" in text for text in remarks)
    found = hfft.evaluate(tmp_path / "run", f"{tiny('summarization')['data']['root']}/eval.jsonl")
    assert {name: entry["value"] for name, entry in found.scores.items()} == {
        name: entry["value"] for name, entry in results(tmp_path / "run")["eval"].items()
    }
    assert set(remarks) >= {text.replace("data: ", "eval: ") for text in found.findings}


WRONG = {
    "task.target=sumary": (DataError, "task.target is 'sumary'.*Did you mean 'summary'"),
    "task.metrics=[rogue]": (RecipeError, "task.metrics.*'rouge'"),
    "task.max_target_length=1": (RecipeError, "task.max_target_length"),
    "task.generation={beams: 3}": (RecipeError, "task.generation.beams is not a known key. Did you mean 'num_beams'"),
    "task.generation={top_p: 0.9}": (RecipeError, "'top_p' has no effect without do_sample: true"),
    "task.generation={num_beams: 1, length_penalty: 2}": (RecipeError, "'length_penalty' has no effect with one beam"),
    "task.metrics=[bleu]": (None, ""),
    "task={name: summarization, metrics: [bleu], bleu_tokenize: 13b}": (
        RecipeError,
        "task.bleu_tokenize is '13b'.*13a",
    ),
    "eval={batch_size: 4, batch_tokens: 100}": (RecipeError, "'batch_size' and 'batch_tokens'"),
    "task.target_language=de": (RecipeError, "task.target_language is 'de'.*leave it out"),
    "task.generation.num_beams=50000000": (
        RecipeError,
        r"takes about [0-9.]+ GiB, and [0-9.]+ GiB are free.*num_beams",
    ),
    "train.keep_best=rouge": (RecipeError, "train.keep_best is 'rouge'. Did you mean 'rouge[12L]"),
    "train.keep_best=length_ratio": (RecipeError, "train.keep_best is 'length_ratio'.*Known: rouge1, rouge2"),
    "task.generation={min_new_tokens: 16}": (RecipeError, "min_new_tokens is 16, but an answer may have 16 tokens"),
    "task.bleu_tokenize=zh": (RecipeError, "task.bleu_tokenize has no effect"),
}


@pytest.mark.parametrize("change", WRONG)
def test_a_wrong_setting_is_refused_before_training(tiny, tmp_path, change):
    kind, message = WRONG[change]
    recipe = tiny("summarization")
    if kind is None:
        assert "bleu" in train(recipe, tmp_path / "run", *SHORT, change).scores["eval"]
        return
    with pytest.raises(kind, match=message):
        train(recipe, tmp_path / "run", *SHORT, change)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_model_without_a_decoder_is_refused(tiny, tmp_path):
    bert = tiny("text-classification")["model"]
    with pytest.raises(ModelError, match=r"has no decoder.*Give model: \{encoder: "):
        train(tiny("summarization"), tmp_path / "run", *SHORT, f"model={bert}")


def test_a_plain_model_of_transformers_answers_when_it_is_told_what_for(tiny):
    recipe = tiny("summarization")
    with pytest.raises(ModelError, match=r"summarization or translation. Say which: task.name="):
        hfft.predict(recipe["model"], ["w1 fine"])
    told = ["task.name=summarization", "task.generation={num_beams: 1}", "task.max_target_length=5"]
    rows = hfft.predict(recipe["model"], ["w1 fine", "w2 poor w3"], told)
    assert [row["id"] for row in rows] == [0, 1]
    assert all(0 < len(row["tokens"]) <= 5 for row in rows)


def test_the_loss_is_smoothed_over_tokens_that_count(tiny, tmp_path):
    """With smoothing the loss is (1 - e) times that of the labels and e times the mean over all words."""
    made = assembled(tiny("translation"), "task.label_smoothing=0.3")
    part = next(iter(made.run.batches(0, 1))).micro_batches[0]
    model = made.run.model.eval()
    with torch.no_grad():
        found = made.task.loss(model, part.batch)
        logits = model(
            input_ids=part.batch["input_ids"],
            attention_mask=part.batch["attention_mask"],
            labels=part.batch["labels"],
        ).logits.log_softmax(-1)
    counted = part.batch["labels"] != -100
    assert made.task.weight(part.batch) == counted.sum()
    right = logits.gather(-1, part.batch["labels"].clamp(min=0)[..., None])[..., 0][counted]
    expected = 0.7 * -right.mean() + 0.3 * -logits.mean(-1)[counted].mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_order_of_rows_is_that_of_the_file_whatever_their_length(tiny, tmp_path):
    train(tiny("summarization"), tmp_path / "run", *SHORT)
    draw = random.Random(0)
    texts = [" ".join(f"w{draw.randint(0, 30)}" for _ in range(draw.randint(1, 25))) for _ in range(40)]
    together = hfft.predict(tmp_path / "run", texts)
    assert [row["id"] for row in together] == list(range(40))
    assert [row["answer"] for row in together[:3]] == [
        hfft.predict(tmp_path / "run", [t])[0]["answer"] for t in texts[:3]
    ]


CHECKPOINTS = {
    "beams without effect": ({"early_stopping": True, "length_penalty": 2.0, "num_beams": 4}, {"num_beams": 1}, {}),
    "sampling without effect": ({"temperature": 0.7, "min_p": 0.1, "do_sample": True}, {"do_sample": False}, {}),
    "several answers": (
        {"num_return_sequences": 2, "return_dict_in_generate": True, "num_beams": 3},
        {},
        {"num_beams": 3},
    ),
    "beams while sampling": ({"num_beams": 4}, {"do_sample": True}, {"num_beams": 1, "do_sample": True}),
    "lengths of other data": ({"min_length": 56, "max_length": 142}, {}, {"max_new_tokens": 9, "min_length": None}),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_what_a_checkpoint_says_of_generation_is_kept_where_it_fits(tmp_path, name):
    has, given, kept = CHECKPOINTS[name]
    found = complete(GenerationConfig(eos_token_id=2, **has), Generation(**given), 9, {"decoder_start_token_id": 5})
    assert (found.eos_token_id, found.decoder_start_token_id, found.max_new_tokens) == (2, 5, 9)
    for setting, value in kept.items():
        assert getattr(found, setting) == value
    found.save_pretrained(tmp_path)  # which refuses settings that contradict each other


def test_an_answer_with_a_forced_end_is_cut_off_too(tmp_path, tiny):
    bart(tmp_path / "model")
    recipe = {**tiny("summarization"), "model": str(tmp_path / "model")}
    train(recipe, tmp_path / "run", *SHORT, "task.max_target_length=4", "task.generation={num_beams: 1}")
    rows = predictions(tmp_path / "run")
    assert any(len(row["tokens"]) == 4 for row in rows)
    assert all(("cut off" in row["flags"]) == (len(row["tokens"]) == 4) for row in rows)


def test_an_answer_that_several_sources_get_is_counted(tiny, tmp_path):
    train(tiny("summarization"), tmp_path / "run", *SHORT)
    rows = predictions(tmp_path / "run")
    common = [row for row in rows if row["answer"] and sum(other["answer"] == row["answer"] for other in rows) > 1]
    assert len(common) > 0
    assert [row["id"] for row in rows if "common" in row["flags"]] == [row["id"] for row in common]
    told = [text for text in results(tmp_path / "run")["remarks"] if "other sources get too" in text]
    assert told[0].startswith(f"eval: {len(common)} of {len(rows)} rows")


def test_a_decoder_without_an_end_of_its_own_learns_one(tmp_path, tiny):
    gpt2(tmp_path / "model", layers=2)
    pair = {"encoder": str(tmp_path / "model"), "decoder": str(tmp_path / "model")}
    plan = hfft.plan(hfft.Recipe.from_dict({**tiny("summarization"), "model": pair}, *SHORT))
    assert plan.batch
    assert all(line.rstrip().partition(" => ")[2].endswith("[SEP]") or line.endswith("[SEP]") for line in plan.batch)


def test_sampled_answers_are_repeated_by_the_saved_model(tiny, tmp_path):
    train(
        tiny("translation"), tmp_path / "run", *SHORT, "task.generation={do_sample: true, top_k: 20, temperature: 2.0}"
    )
    for split in ("eval", "test"):
        found = hfft.evaluate(tmp_path / "run", f"{tiny('translation')['data']['root']}/{split}.jsonl")
        assert [row["answer"] for row in found.rows] == [row["answer"] for row in predictions(tmp_path / "run", split)]
        assert found.facts["signatures"]["bleu"].startswith("nrefs:1|")


def test_references_alone_are_enough_to_be_scored_against(tiny, tmp_path):
    recipe = tiny("references")
    run = train(recipe, tmp_path / "run", *SHORT)
    lines = Path(recipe["data"]["root"], "test.jsonl").read_text("utf-8").splitlines()
    rows = [{name: json.loads(line)[name] for name in ("en", "right")} for line in lines]
    found = hfft.evaluate(run.folder, write_jsonl(tmp_path / "only.jsonl", rows))
    assert found.examples == len(rows)
    assert found.scores == run.scores["test"]


def test_scores_of_other_rows_are_not_compared_with_the_best_so_far(tiny, tmp_path):
    best = "train.keep_best=chrf"
    train(tiny("translation"), tmp_path / "run", best, "train.epochs=1", "eval.while_training=3")
    with pytest.raises(SetupError, match=r"eval.while_training is 'all', there 3"):
        train(
            tiny("translation"), tmp_path / "run", "train.keep_best=chrf", "train.epochs=2", "eval.while_training=all"
        )


def test_the_largest_batch_is_looked_for_among_all(tiny):
    made = assembled(tiny("translation"), "eval.batch_tokens=30")
    evaluator = made.evaluators["eval"]
    assert evaluator.examples.lengths is not None
    longest = int(evaluator.examples.lengths.max())
    assert (30 // longest, longest) in evaluator.shapes
    assert max(rows for rows, _ in evaluator.shapes) > 30 // longest
    assert sum(rows for rows, _ in evaluator.shapes) <= len(evaluator.examples)


@pytest.fixture
def half():
    """An accelerator that computes in bfloat16; Accelerate keeps one precision for a process, which is taken back."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield Accelerator(cpu=True, mixed_precision="bf16")
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize("adapter", [[], ["tune.adapter={rank: 2}"]])
def test_answers_are_generated_in_the_precision_of_training(tiny, half, adapter):
    made = build(resolve(hfft.Recipe.from_dict(tiny("translation"), *adapter), trust=False), half)
    seen = set()
    for name, module in made.run.model.named_modules():
        if name.endswith("q_proj") or name.endswith("q_proj.base_layer"):
            module.register_forward_hook(lambda _, __, out: seen.add(out.dtype))
    made.evaluators["eval"].some(3)(made.run.model, made.run.accelerator)
    assert seen == {torch.bfloat16}
