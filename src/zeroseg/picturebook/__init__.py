"""The embedded world: procedural scenes with exact masks and captions, drawn from a seed."""
