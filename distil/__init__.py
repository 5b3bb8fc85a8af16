"""What two or more stages of the study share; each stage itself is a file in scripts/."""
