"""The torch + PEFT side of `benchmarks.student`: run in an environment of its own, not the lock's.

    python benchmarks/peft_side.py JOB.json

`benchmarks.student` writes the job: model folder, batches of token ids with the place where the
answer starts, prompts, settings and threads. Prints one JSON line: seconds of training and of
generation, the last losses, the generated texts' token ids.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def pad(rows: list[list[int]], side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask of a batch, padded at one side."""
    width = max(map(len, rows))
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        where = slice(0, len(row)) if side == "right" else slice(width - len(row), width)
        ids[place, where] = torch.tensor(row)
        mask[place, where] = 1
    return ids, mask


def train(job: dict) -> tuple[float, list[float]]:
    """Seconds and losses of LoRA steps on the job's batches."""
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    layers = list(range(model.config.num_hidden_layers))[-job["layers"] :]
    model = get_peft_model(
        model,
        LoraConfig(
            r=job["rank"], lora_alpha=job["scale"] * job["rank"], target_modules=LINEAR,
            layers_to_transform=layers,
        ),
    )  # fmt: skip
    optimizer = torch.optim.Adam(
        (p for p in model.parameters() if p.requires_grad), job["learning_rate"]
    )
    losses = []
    started = time.perf_counter()
    for batch in job["batches"]:
        ids, mask = pad([row["tokens"] for row in batch], "right")
        labels = ids.masked_fill(mask == 0, -100)
        for place, row in enumerate(batch):
            labels[place, : row["prompt"]] = -100
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
    return time.perf_counter() - started, losses


@torch.inference_mode()
def generate(job: dict) -> tuple[float, list[list[int]]]:
    """Seconds and answers of greedy generation, prompts of like length together."""
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
    order = sorted(range(len(job["prompts"])), key=lambda i: len(job["prompts"][i]))
    answers: dict[int, list[int]] = {}
    started = time.perf_counter()
    for start in range(0, len(order), job["width"]):
        rows = order[start : start + job["width"]]
        ids, mask = pad([job["prompts"][i] for i in rows], "left")
        out = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=job["max_tokens"], do_sample=False,
            eos_token_id=job["ends"], pad_token_id=0,
        )  # fmt: skip
        for row, tokens in zip(rows, out[:, ids.shape[1] :].tolist(), strict=True):
            ends = [place for place, token in enumerate(tokens) if token in job["ends"]]
            answers[row] = tokens[: ends[0]] if ends else tokens
    return time.perf_counter() - started, [answers[i] for i in range(len(order))]


def main() -> None:
    """Run the job and print what it took."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    torch.manual_seed(1)
    trained, losses = train(job)
    generated, answers = generate(job)
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "training": trained,
                "losses": losses[-10:],
                "generation": generated,
                "answers": answers,
            }
        )
    )


if __name__ == "__main__":
    main()
