"""What the report shows of each kind of answers, worked by hand and against sacrebleu, rouge-score and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sacrebleu

from hfft.reports.entities import tag_facts
from hfft.reports.examples import histogram, shortened, shown_input
from hfft.reports.labels import several_facts
from hfft.reports.numbers import number_facts
from hfft.reports.predictions import About, Predictions, kind_of
from hfft.reports.texts import single_score, writing_facts


def about(summary: Any = None, **options: Any) -> About:
    return About(options, {"confidence": 0.95}, summary or {})


def predictions(rows: list[dict[str, Any]], probabilities: Any = None, labels: Any = ()) -> Predictions:
    table = None if probabilities is None else np.array(probabilities, dtype=np.float32)
    return Predictions("eval", [{"id": number, **row} for number, row in enumerate(rows)], table, list(labels))


def galleries(facts: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {gallery["title"]: gallery["examples"] for gallery in facts["galleries"]}


def told(facts: dict[str, Any]) -> list[str]:
    return [one["text"] for one in facts["in_short"]]


@pytest.mark.parametrize(
    ("rows", "output", "kind"),
    [
        ([{"answer": "a", "truth": "b"}], "label", "label"),
        ([{"answer": "a", "truth": "b"}], None, "other"),
        ([{"answer": 1.5, "truth": 2.0}], "numbers", "numbers"),
        ([{"answer": [1.5, 2], "truth": [1, 2]}], None, "numbers"),
        ([{"answer": 1, "truth": 2, "score": 0.5}], None, "other"),
        ([{"answer": ["O"], "truth": ["O"], "entities": [], "scores": [0.5]}], None, "spans"),
        ([{"answer": "a text", "truth": ["one", "two"], "flags": []}], None, "text"),
        ([{"answer": {"a": 1}, "truth": None}], None, "other"),
        ([], None, "other"),
    ],
    ids=["label", "text of somebody", "number", "numbers", "place", "tags", "writing", "odd", "none"],
)
def test_what_answers_are_is_found(rows: list[dict[str, Any]], output: str | None, kind: str):
    assert kind_of(output, predictions(rows)) == kind


def test_several_labels_are_judged_one_by_one():
    rows = [
        {"answer": ["joy"], "truth": ["joy"]},
        {"answer": ["joy", "fear"], "truth": ["joy"]},
        {"answer": [], "truth": ["fear"]},
    ]
    found = predictions(rows, [[0.75, 0.125], [0.75, 0.625], [0.25, 0.0625]], ["joy", "fear"])
    facts = several_facts(found, about())
    shown = galleries(facts)
    assert [(example["id"], example["note"]) for example in shown["Most confident mistakes"]] == [
        (2, "missed: fear (0.06)"),  # sure of it by 0.94
        (1, "too many: fear (0.62)"),
    ]
    assert [example["id"] for example in shown["Right answers"]] == [0]
    assert told(facts) == ["2 of 3 examples have a label too many or too few."]
    # Bins by probability: 0.75 twice, both true; 0.125, 0.625 and 0.25 alone and false; 0.0625 alone and true.
    expected = (2 * 0.25 + 0.125 + 0.625 + 0.25 + 0.9375) / 6
    assert facts["calibration"]["ece"]["value"] == pytest.approx(expected)


def test_numbers_have_points_errors_and_the_largest_ones():
    truths = np.arange(600.0)
    answers = truths + np.where(truths == 7, -30, 1)
    rows = [{"answer": answer, "truth": truth} for answer, truth in zip(answers, truths, strict=True)]
    facts = number_facts(predictions(rows), about(summary={"numbers": {"price": {}}}))
    (points,) = facts["numbers"]
    assert (points["name"], len(points["truth"])) == ("price", 500)
    assert all(answers[int(truth)] == answer for truth, answer in zip(points["truth"], points["answer"], strict=True))
    (errors,) = facts["distributions"]
    assert errors["series"] == [{"name": "answers", "counts": [1, *[0] * 28, 599]}]
    assert (errors["edges"][0], errors["edges"][-1]) == (-30, 1)
    assert told(facts) == [
        "Half of the answers are off by 1.00 or less, nine in ten by 1.00 or less; at most by 30.00."
    ]
    shown = galleries(facts)
    assert (shown["Largest errors"][0]["id"], shown["Largest errors"][0]["note"]) == (7, "off by -30")
    assert shown["Closest answers"][0]["note"] == "off by +1"


def test_errors_of_several_numbers_count_by_their_spread():
    rows = [{"answer": [1000.0, 3.0], "truth": [1100.0, 3.0]}, {"answer": [0.0, 0.0], "truth": [0.0, 4.0]}]
    rows.append({"answer": [3000.0, 2.0], "truth": [3000.0, 2.0]})
    facts = number_facts(predictions(rows), about())
    largest = galleries(facts)["Largest errors"]
    assert [example["id"] for example in largest] == [1, 0, 2]
    assert largest[0]["note"] == "number 1 +0, number 2 -4"


def test_of_many_numbers_the_worst_are_drawn_with_few_points_each():
    truths = np.random.default_rng(0).normal(size=(600, 100))
    answers = truths + 0.5 ** np.arange(100)[::-1]  # the last is off most
    rows = [{"answer": a.tolist(), "truth": t.tolist()} for a, t in zip(answers, truths, strict=True)]
    facts = number_facts(predictions(rows), about())
    assert [part["name"] for part in facts["numbers"]] == [f"number {place}" for place in range(89, 101)]
    assert {len(part["truth"]) for part in facts["numbers"]} == {500 // 12}
    assert (facts["numbers_left_out"], len(facts["distributions"])) == (88, 12)
    assert galleries(facts)["Largest errors"][0]["note"].endswith("number 100 +1 and 88 others by less")


def test_single_answers_are_scored_as_sacrebleu_does():
    texts = ["the cat sat on the mat", "a dog", "no", "the cat sat"]
    truths = ["the cat sat on a mat", "a dog", "yes", ["the cat sat down", "a cat sat"]]
    rows = [{"answer": answer, "truth": truth} for answer, truth in zip(texts, truths, strict=True)]
    rows[2]["flags"] = ["common", "cut off"]
    facts = writing_facts(predictions(rows), about(metrics=["chrf", "bleu"]))
    references = [[truth] if isinstance(truth, str) else truth for truth in truths]
    expected = [sacrebleu.sentence_bleu(a, r).score for a, r in zip(texts, references, strict=True)]
    low, half = np.quantile(expected, (0.1, 0.5))
    assert told(facts) == [
        "1 of 4 answers is exactly right.",
        f"One answer in ten has a BLEU of {low:.2f} or less, half of them {half:.2f} or less.",
    ]
    shown = galleries(facts)["Worst answers"]
    assert [example["id"] for example in shown] == np.argsort(expected).tolist()
    assert [example["scores"]["BLEU"] for example in shown] == pytest.approx(np.minimum(sorted(expected), 100).tolist())
    assert shown[0]["note"] == "given to other sources too, cut off"
    lengths, scores = facts["distributions"]
    assert lengths["edges"] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert [series["counts"] for series in lengths["series"]] == [[1, 1, 1, 0, 0, 1], [1, 1, 0, 1, 0, 1]]
    assert (sum(scores["series"][0]["counts"]), scores["series"][0]["counts"][-1]) == (4, 2)


def test_single_answers_are_scored_by_what_chose_the_weights():
    watching = About({"metrics": ["bleu", "chrf"]}, {"confidence": 0.95}, {}, watched="chrf")
    rows = [{"answer": "a cat", "truth": "a cat"}] * 3 + [{"answer": "no", "truth": "a dog"}]
    facts = writing_facts(predictions(rows), watching)
    lowest = sacrebleu.sentence_chrf("no", ["a dog"]).score
    tenth = np.quantile([lowest, 100, 100, 100], 0.1)
    assert told(facts) == ["3 of 4 answers are exactly right.", f"One answer in ten has a chrF of {tenth:.2f} or less."]
    assert told(writing_facts(predictions(rows[:3]), watching)) == ["3 of 3 answers are exactly right."]


def test_summaries_are_scored_by_rouge_and_a_sample_is_said():
    name, score = single_score(about(metrics=["bleu", "rouge"]), ["a text"]) or ("", None)
    assert name == "ROUGE-L"
    assert score is not None
    assert score("cats sat", ["a cat sat there"]) == pytest.approx(2 * 2 / (2 + 4))  # stemmed: both words of four
    facts = writing_facts(predictions([{"answer": "a b c", "truth": "a b"}] * 2001), about(metrics=["rouge"]))
    assert facts["distributions"][1]["note"] == "Of 2001 answers 2000 were drawn and measured."
    assert {gallery["title"]: len(gallery["examples"]) for gallery in facts["galleries"]} == {
        "Worst answers": 12,
        "Middling answers": 12,
        "Best answers": 12,
    }


def test_texts_without_spaces_are_measured_in_characters():
    truth = "今天天气很好我们一起去公园散步吧大家都去"
    facts = writing_facts(predictions([{"answer": truth[:4], "truth": truth}]), about(metrics=["chrf"]))
    lengths, scores = facts["distributions"]
    assert (lengths["unit"], scores["unit"]) == ("characters", "chrF")


def test_sentences_are_sorted_by_their_errors():
    words = ["Ada", "Lovelace", "met", "Mary", "in", "Rome"]
    right = {"input": words, "answer": ["B-P", "I-P", "O", "B-P", "O", "B-L"], "scores": [0.5] * 6}
    right["entities"] = [entity(0, 2, "P", 0.75), entity(3, 4, "P", 0.75), entity(5, 6, "L", 0.75)]
    wrong = {**right, "answer": ["B-P", "O", "O", "B-L", "O", "B-L"]}
    wrong["entities"] = [entity(0, 1, "P", 0.875), entity(3, 4, "L", 0.9375), entity(5, 6, "L", 0.75)]
    truth = ["B-P", "I-P", "O", "B-P", "O", "B-L"]
    facts = tag_facts(predictions([{**right, "truth": truth}, {**wrong, "truth": truth}]), about())
    assert facts["confusion"]["labels"] == ["L", "P"]
    assert facts["confusion"]["counts"] == [[2, 0], [1, 2]]  # Ada alone is no entity that is there
    assert told(facts) == [
        "2 of 6 entities are missed.",
        "2 of 6 answered entities are wrong.",
        "1 of 2 texts has an error.",
    ]
    (wrong, *_) = facts["galleries"]
    assert wrong["pairs"] == [{"truth": "P", "answer": "L", "count": 1}]
    assert [example["pairs"] for example in wrong["examples"]] == [[0]]
    shown = galleries(facts)
    (example,) = shown["Sentences with most errors"]
    assert (example["id"], example["note"], example["input"]) == (1, "4 errors", words)
    assert example["spans"]["answer"][0] == {"start": 0, "end": 1, "label": "P"}
    assert example["spans"]["truth"][0] == {"start": 0, "end": 2, "label": "P"}
    assert shown["Most confident mistakes"][0]["note"] == "L at 0.94, which is wrong"
    assert [example["id"] for example in shown["Sentences without an error"]] == [0]
    # Four of 0.75, all right; 0.875 and 0.9375 wrong, in bins of their own.
    assert facts["calibration"]["ece"]["value"] == pytest.approx((4 * 0.25 + 0.875 + 0.9375) / 6)


def entity(start: int, end: int, label: str, score: float) -> dict[str, Any]:
    return {"start": start, "end": end, "label": label, "text": "", "score": score}


def test_spans_of_characters_are_shown_by_words():
    row = {
        "input": "Hi, Ada L!",
        "words": [[0, 2], [2, 3], [4, 7], [8, 9], [9, 10]],
        "tags": ["O", "O", "B-P", "O", "O"],
    }
    row |= {"answer": [{"start": 4, "end": 7, "label": "P"}], "entities": [entity(4, 7, "P", 0.5)], "scores": [0.5] * 5}
    row["truth"] = [{"start": 4, "end": 9, "label": "P"}]
    facts = tag_facts(predictions([row]), about())
    example = facts["galleries"][0]["examples"][0]
    assert (example["input"], example["tight"]) == (["Hi", ",", "Ada", "L", "!"], [1, 4])
    assert example["spans"] == {
        "answer": [{"start": 2, "end": 3, "label": "P"}],
        "truth": [{"start": 2, "end": 4, "label": "P"}],
    }


def test_parts_of_speech_are_words_and_not_phrases():
    row = {"input": ["big", "dog"], "answer": ["NOUN", "NOUN"], "scores": [0.5, 0.5], "truth": ["ADJ", "NOUN"]}
    row["entities"] = [entity(0, 1, "NOUN", 0.5), entity(1, 2, "NOUN", 0.5)]
    facts = tag_facts(predictions([row]), about())
    assert facts["confusion"]["counts"] == [[0, 1], [0, 1]]


def test_long_sentences_end_early_with_their_spans():
    words = ["word"] * 1000
    tags = ["B-X"] * 1000
    row = {"input": words, "answer": tags, "truth": ["O"] * 1000, "scores": [0.5] * 1000}
    row["entities"] = [entity(place, place + 1, "X", 0.5) for place in range(1000)]
    (example,) = tag_facts(predictions([row]), about())["galleries"][0]["examples"]
    assert len(example["input"]) == len(example["spans"]["answer"]) == 400
    assert example["note"] == "1000 errors"


def test_texts_are_shortened_and_odd_inputs_are_texts():
    assert shortened("x" * 2001) == "x" * 1998 + " …"
    assert shown_input(["a", "b"]) == ["a", "b"]
    assert shown_input(["a", ["b", "c"], 3]) == "a\nb\nc\n3"
    assert shown_input("") is None


def test_histograms_of_whole_numbers_have_edges_between_them():
    made = histogram({"a": [1, 1, 3], "b": [2]}, 20, whole=True)
    assert made["edges"] == [0.5, 1.5, 2.5, 3.5]
    assert [series["counts"] for series in made["series"]] == [[2, 0, 1], [0, 1, 0]]
    wide = histogram({"a": list(range(100))}, 20, whole=True)
    assert [sum(series["counts"]) for series in wide["series"]] == [100]
    assert wide["edges"][:2] == [-0.5, 4.5]
    assert histogram({"a": [2.0, 2.0]}, 20)["series"] == [{"name": "a", "counts": [2]}]
