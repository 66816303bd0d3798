"""How often the engine errs, measured: by enumeration where it can be exact, by seeded simulation elsewhere."""
