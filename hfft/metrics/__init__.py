"""Scores: functions of plain answers and truths. They work offline and know neither models nor recipes."""

OTHER_AVERAGES = ("_micro", "_weighted")  # endings of scores that stand in files and are folded away elsewhere

LOWER_IS_BETTER = frozenset({"mse", "rmse", "mae", "hamming_loss", "ter"})
"""The scores of hfft of which less is better; a task of one's own names its own in `lower_is_better`."""
