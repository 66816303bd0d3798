"""NeonBlue: a self-hosted, real-time experimentation platform."""

__version__ = "0.1.0"
