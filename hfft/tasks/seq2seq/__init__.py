"""summarization and translation: a text for a text."""

from hfft.tasks.seq2seq.task import Seq2Seq as Seq2Seq
from hfft.tasks.seq2seq.task import Summarization as Summarization
from hfft.tasks.seq2seq.task import Translation as Translation
