"""Training: the device is chosen once, here."""

from promo_repro.training.device import resolve

__all__ = ["resolve"]
