"""Running adapted models: logits over many rows, and predictions from a saved run."""

from maskjax.inference.logits import make_predict, predict_labels, predict_logits, score_logits
from maskjax.inference.predictor import Prediction, Predictor, load_predictor

__all__ = [
    "Prediction",
    "Predictor",
    "load_predictor",
    "make_predict",
    "predict_labels",
    "predict_logits",
    "score_logits",
]
