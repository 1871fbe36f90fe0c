"""Running adapted models: many tasks over one base, one saved run, logits over many rows."""

from maskjax.inference.ensemble import By, combine_logits
from maskjax.inference.evaluation import Evaluation, evaluate_logits
from maskjax.inference.forward import (
    gather_logits,
    make_predict,
    model_inputs,
    predict_labels,
    predict_logits,
    score_logits,
)
from maskjax.inference.postprocess import Answer, Function
from maskjax.inference.predictor import Predictor
from maskjax.inference.prepared import Prepared, UnknownTaskError
from maskjax.inference.preprocess import Row
from maskjax.inference.saved_run import Prediction, TaskPredictor, load_predictor
from maskjax.inference.vectors import cls_vectors

__all__ = [
    "Answer",
    "By",
    "Evaluation",
    "Function",
    "Prediction",
    "Predictor",
    "Prepared",
    "Row",
    "TaskPredictor",
    "UnknownTaskError",
    "cls_vectors",
    "combine_logits",
    "evaluate_logits",
    "gather_logits",
    "load_predictor",
    "make_predict",
    "model_inputs",
    "predict_labels",
    "predict_logits",
    "score_logits",
]
