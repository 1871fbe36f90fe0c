"""Experiments behind docs/results.md: many trainings, compared by their scores."""
