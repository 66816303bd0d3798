"""The way in and out of the process: the hot calls, what is answered at once, what all others pass, and the wiring.

Knows every resource; none knows it.
"""
