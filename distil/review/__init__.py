"""People's work on problems: corrections, pictures, readings by a vision model.

- `transcripts`: statements that others typed in, put in the place of extracted ones.
- `admission`: which flags keep a problem out of a study.
- `corrections`: human corrections of extracted problems, read and applied.
- `crops`: the file of a year's pictures.
- `vision_readings`: readings of flagged problems by a vision model.
- `page`: HTML page of flagged problems beside their pictures.
"""
