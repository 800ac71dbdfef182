"""Scores: functions of plain answers and truths. They work offline and know neither models nor recipes."""

OTHER_AVERAGES = ("_micro", "_weighted")  # endings of scores that stand in files and are folded away elsewhere
