"""What a training leaves for people to look at: its report shows texts as texts, and pictures as pictures."""

from __future__ import annotations

import pytest

from hfft.io.run_folder import read_json

SHOWN = {
    "text-classification": ("texts", 'class="verdict"'),
    "pairs": ("texts", 'class="verdict"'),
    "several-labels": ("texts", 'class="verdict"'),
    "numbers": ("numbers", "answer less truth"),
    "token-classification": ("tags", 'class="sentence"'),
    "translation": ("writing", 'class="sides"'),
    "image-classification": ("pictures", 'src="data:image/jpeg;base64,'),
    "outside": ("texts", 'class="verdict"'),
}
"""The kind of the galleries of each task or variant, and what only such a gallery has in the page."""


@pytest.mark.parametrize("task", SHOWN)
def test_the_report_that_a_training_leaves_shows_inputs_as_what_they_are(trained, task):
    run, (kind, mark) = trained(task, "full"), SHOWN[task]
    galleries = [
        gallery for facts in read_json(run / "report.json")["splits"].values() for gallery in facts["galleries"]
    ]
    assert {gallery["kind"] for gallery in galleries} == {kind}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert mark in page
    assert ('class="pictures"' in page) == (kind == "pictures")
