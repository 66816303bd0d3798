"""Java and what runs on it: the runtime, the pinned artefacts, their archives."""
