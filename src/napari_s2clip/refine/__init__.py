"""Stage 3: SAM refines the connected regions (Algorithm 4)."""
