"""Scores: functions of plain answers and truths. They work offline and know neither models nor recipes."""
