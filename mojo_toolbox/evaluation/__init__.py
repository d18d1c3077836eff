"""Asking any router about labelled conversations, and counting what it gets right."""

from mojo_toolbox.evaluation.baselines import tfidf_router
from mojo_toolbox.evaluation.runner import Router, evaluate
from mojo_toolbox.evaluation.scores import PointScore, Scores

__all__ = ["PointScore", "Router", "Scores", "evaluate", "tfidf_router"]
