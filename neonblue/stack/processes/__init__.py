"""Processes of this machine: started as somebody, within walls, on ports, and watched."""
