"""Stage 2, first half: how features and text vectors become scores of each phrase."""

from __future__ import annotations

from .phrases import PhraseScores, phrase_scores, window_scores

__all__ = ["PhraseScores", "phrase_scores", "window_scores"]
