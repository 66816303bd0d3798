"""Inference that stays valid however often it is looked at: confidence sequences, mixture tests, group sequences."""
