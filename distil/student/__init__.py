"""The student model: opening, asking, training and decoding.

- `model`: locked model files, opening them, the chat template.
- `questions`: the message that asks a problem at a level.
- `examination`: what a run is asked, and the rows that its answers become.
- `adapters`: LoRA terms of a model: attach, swap, merge, write.
- `checks`: what a model is refused for, before hours are lost.
- `memory`: what training and decoding will take, and how wide a batch may be.
- `speed`: seconds of a training step and tokens a second, measured on a few.
- `encoding`: training rows as token ids.
- `batches`: batches of rows of like length.
- `losses`: losses and gradients of a batch, in parts that two processes share.
- `training`: LoRA training that a kill does not change.
- `published`: training as the published study did it.
- `states`: what a killed training resumes from.
- `sampling`: what a decoder is asked for, and draws that a seed decides.
- `decoding`: answers in batches.
- `continuous`: answers by mlx-lm's own batch generator, for GPUs.
- `serving`: adapters laid out for servers, in mlx-lm's form and PEFT's.
- `rows`: the store of decoded answers.
- `answering`: answers from the store, or decoded.
- `workers`: a helper process that shares a job's arithmetic.
- `blas`: a fast BLAS for mlx on Linux CPUs.
"""
