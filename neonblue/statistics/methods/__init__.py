"""Tests of one metric in two arms, once all data are there, and of many metrics together."""
