"""The colours of the dashboard, of annotated pictures and of charts in the documentation, `#RRGGBB`.

Streamlit reads the first two tables from `dashboard/.streamlit/config.toml`; a test compares that file with
this module.
"""

from __future__ import annotations

LIGHT = {
    "happiness": "#B8860B",
    "surprise": "#8C564B",
    "neutral": "#767676",
    "sadness": "#332288",
    "fear": "#6F4E9C",
    "disgust": "#228833",
    "anger": "#882255",
    "unknown": "#C3C8D0",
    "female": "#1B9E9E",
    "male": "#D95F02",
    "accent": "#0F6E6E",
    "not observed": "#D5D9E0",
    "caution": "#D98E04",
    "ink": "#14171D",
    "quiet": "#667085",
}
"""On a white ground."""

DARK = {
    "happiness": "#CCBB44",
    "surprise": "#66CCEE",
    "neutral": "#BBBBBB",
    "sadness": "#4477AA",
    "fear": "#AA3377",
    "disgust": "#228833",
    "anger": "#EE6677",
    "unknown": "#555E6C",
    "female": "#1B9E9E",
    "male": "#D95F02",
    "accent": "#3FB8B0",
    "not observed": "#333B48",
    "caution": "#E0A030",
    "ink": "#E8EBF0",
    "quiet": "#98A2B3",
}
"""On a dark ground, and on pictures of cameras."""

INK, MUTED, STEEL, STRONG = LIGHT["ink"], "#8AA1B1", LIGHT["quiet"], "#C2410C"
"""Charts in the documentation: text, figures in the background, other figures, the figure that matters."""
