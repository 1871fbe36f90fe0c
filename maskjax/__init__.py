"""Learn binary masks over frozen pretrained weights."""

__version__ = "0.1.0"
