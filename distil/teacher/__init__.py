"""The teacher: agents behind OpenAI-compatible APIs, each response paid for once and kept.

- `agents`: prompts from problems and rows from answers; opening a client in a job.
- `client`: one agent's requests, from journal or host.
- `dispatch`: one pass over requests by threads, with retries and pauses.
- `stops`: when a run stops by itself: outages, and responses that are no answers.
- `gates`: limits of a host's key that all jobs of a machine share.
- `transport`: one HTTP exchange with deadlines and limits.
- `responses`: what a response says, with a status for each fault.
- `journal`: the append-only store of requests and raw responses.
- `ledger`: how each request ended, and what was charged.
- `money`: token prices, bounds and bills.
- `estimate`: requests, money and hours of a study before it is paid.
- `responses_report`: what a study asked and paid, as text, JSON and JSONL.
- `settings`: settings and errors.
"""
