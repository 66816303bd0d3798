"""Whole lives of experiments with a known truth, played to see whether what is said of them is true.

A life is drawn from a seed: the arms and their shares, the days, what units bring, what the owner does. Its sums go to
`ask()` day by day, as a decision run would ask, and to the sensor's judgement in between. No service is needed.
"""
