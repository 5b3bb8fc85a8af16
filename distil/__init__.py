"""Library of the study; each stage itself is a script in `scripts/`."""
