"""Running adapted models: logits over many rows, and predictions from a saved run."""

from maskjax.inference.ensemble import By, combine_logits
from maskjax.inference.logits import make_predict, predict_labels, predict_logits, score_logits
from maskjax.inference.predictor import Prediction, Predictor, load_predictor
from maskjax.inference.vectors import cls_vectors

__all__ = [
    "By",
    "Prediction",
    "Predictor",
    "cls_vectors",
    "combine_logits",
    "load_predictor",
    "make_predict",
    "predict_labels",
    "predict_logits",
    "score_logits",
]
