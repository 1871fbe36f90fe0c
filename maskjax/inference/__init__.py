"""Running adapted models: many tasks over one base, one saved run, logits over many rows."""

from maskjax.inference.answers import Answer
from maskjax.inference.ensemble import By, combine_logits
from maskjax.inference.logits import (
    gather_logits,
    make_predict,
    model_inputs,
    predict_labels,
    predict_logits,
    score_logits,
)
from maskjax.inference.many import Predictor
from maskjax.inference.predictor import Prediction, TaskPredictor, load_predictor
from maskjax.inference.prepared import Prepared, UnknownTaskError
from maskjax.inference.reading import Row
from maskjax.inference.vectors import cls_vectors

__all__ = [
    "Answer",
    "By",
    "Prediction",
    "Predictor",
    "Prepared",
    "Row",
    "TaskPredictor",
    "UnknownTaskError",
    "cls_vectors",
    "combine_logits",
    "gather_logits",
    "load_predictor",
    "make_predict",
    "model_inputs",
    "predict_labels",
    "predict_logits",
    "score_logits",
]
