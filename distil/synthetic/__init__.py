"""All make-believe of the sample study: questions, papers, a teacher and a small student.

- `templates`: wordings, numbers and worked steps; `arithmetic`, `contest`, `transfer` define them.
- `papers`: exam papers of the templates.
- `teacher`: an OpenAI-compatible server that solves by rule.
- `corpus`: pre-training text.
- `pretraining`: a small student from nothing.
"""
