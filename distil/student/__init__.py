"""The student model: opening, asking, training and decoding.

- `model`: locked model files, opening them, the chat template.
- `questions`: the message that asks a problem at a level.
- `training`: LoRA training that a kill does not change.
- `decoding`: greedy answers in batches, and the store of decoded rows.
- `batches`: batches of rows of like length.
- `lanes`: a second process that shares a job's arithmetic.
- `blas`: a fast BLAS for mlx on Linux CPUs.
"""
