"""What `ostinato.sklearn.SequenceClassifier` asks of the task: see `ostinato.tasks.estimators`."""

from ostinato.data.labelled.examples import Raw
from ostinato.data.labelled.reading import LabelledColumns
from ostinato.tasks.classify.data import PreparedExamples, prepare_labelled
from ostinato.tasks.classify.options import TrainClassify


def prepare(options: TrainClassify, columns: LabelledColumns, data: Raw, share: float) -> PreparedExamples:
    """Sequences with their labels, made ready."""
    return prepare_labelled(options, columns, data, share=share)
