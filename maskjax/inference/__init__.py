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
from maskjax.inference.load import load_predictor, load_run
from maskjax.inference.postprocess import Answer, Prediction, WordPrediction, predict_rows
from maskjax.inference.predictor import Predictor
from maskjax.inference.preprocess import Function, InputRow, PreparedRow
from maskjax.inference.registry import UnknownTaskError
from maskjax.inference.saved_run import SavedRun, cls_vectors

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
    "load_run",
    "make_predict",
    "model_inputs",
    "predict_labels",
    "predict_logits",
    "predict_rows",
    "score_logits",
]
