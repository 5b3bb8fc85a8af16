"""The teacher: agents behind an OpenAI-compatible API, each response paid for once and kept.

- `agents`: prompts from problems and rows from answers; opening a client in a job.
- `client`: one agent's requests, from journal or host.
- `dispatch`: concurrency, retries, pauses and stops.
- `transport`: one HTTP exchange with deadlines and limits.
- `responses`: what a response says, with a status for each fault.
- `journal`: the append-only store of requests and raw responses.
- `money`: token prices and what was charged.
- `account`: what a study asked and paid, as text.
- `settings`: settings and errors.
"""
