"""image-classification."""

from hfft.tasks.image_classification.task import ImageClassification as ImageClassification
from hfft.tasks.image_classification.task import Options as Options
