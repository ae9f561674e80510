"""Personalised Promotions, Re-derived: the module behind the book."""

__version__ = "0.1.0"
