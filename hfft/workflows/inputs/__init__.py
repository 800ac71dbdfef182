"""What a finished model is asked: texts, pairs, pictures, rows or files as people give them, made into rows."""

from hfft.workflows.inputs.reading import read_questions
from hfft.workflows.inputs.rows import Questions, questions_of

__all__ = ["Questions", "questions_of", "read_questions"]
