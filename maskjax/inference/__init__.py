"""Running adapted models: many tasks over one base, one saved run, logits over many rows."""

from maskjax.inference.evaluation import By, Evaluation, combine_logits, evaluate_logits
from maskjax.inference.forward import (
    gather_logits,
    make_predict,
    model_inputs,
    predict_labels,
    predict_logits,
    score_logits,
)
from maskjax.inference.postprocess import Answer, Prediction, WordPrediction
from maskjax.inference.predictor import Predictor
from maskjax.inference.preprocess import Function, InputRow, PreparedRow
from maskjax.inference.registry import UnknownTaskError
from maskjax.inference.saved_run import SavedRun, cls_vectors, load_predictor

__all__ = [
    "Answer",
    "By",
    "Evaluation",
    "Function",
    "InputRow",
    "Prediction",
    "Predictor",
    "PreparedRow",
    "SavedRun",
    "UnknownTaskError",
    "WordPrediction",
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
