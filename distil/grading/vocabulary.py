"""Words in answers: numbers spelled out, synonyms, and one spelling for a text answer."""

import re
from fractions import Fraction

from distil.grading.syntax import word_set

_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_NUMBER_WORDS = {word: value for value, word in enumerate(_UP_TO_TWENTY.split())} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_PART_WORDS = {
    "half": 2, "third": 3, "thirds": 3, "fourth": 4, "fourths": 4, "quarter": 4, "quarters": 4,
    "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6, "seventh": 7, "sevenths": 7, "eighth": 8,
    "eighths": 8, "ninth": 9, "ninths": 9, "tenth": 10, "tenths": 10,
}  # fmt: skip
EMPTY_WORDS = frozenset(
    {
        "no solution", "no solutions", "empty set", "no real solution", "no real solutions",
        "null set",
        "there is no solution", "there are no solutions", "no such number", "no real number",
        "no real numbers", "no roots", "no real roots",
    }
)  # fmt: skip
ALL_REALS = frozenset(
    {
        "all real numbers", "all reals", "real numbers", "any real number", "all real number",
        "all real numbers x", "every real number", "reals", "set of all real numbers",
        "set of real numbers",
    }
)  # fmt: skip
_SAME_WORDS = {
    "dne": "does not exist", "not defined": "undefined", "infinitely many": "infinite",
    "infinitely many solutions": "infinite", "infinite solutions": "infinite",
    "infinite number": "infinite", "infinite number of solutions": "infinite", "mon": "monday",
    "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "thu": "thursday", "thur": "thursday",
    "thurs": "thursday", "fri": "friday", "sat": "saturday", "sun": "sunday",
    "none": "none of these",
    "none of the above": "none of these", "none of them": "none of these",
    "cannot be determined": "not enough information",
    "can not be determined": "not enough information", "t": "true", "f": "false",
    "first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th",
    "sixth": "6th",
    "seventh": "7th", "eighth": "8th", "ninth": "9th", "tenth": "10th",
}  # fmt: skip
SHORT_WORDS = word_set(
    "yes no odd even east west north south true false none both all left up down right red "
    "blue zero one two four five six nine ten sum red low day man boy max min cat dog hot old "
    "new line ray cube cone dne half"
)
# With these words a text may give another value than the number or name in it.
OTHER_SENSE = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|unable|unknown|less|more|fewer|least|most|between|than|or|"
    r"except|wrong|incorrect|instead|if|unless|but|half|minus|negative|before|after|until|short|"
    r"plus|maybe|could|might|false|squared|cubed|under|over|above|below|"
    r"beyond|within|almost|nearly|twice|thrice|double|triple|reciprocal|inverse|exceeds?)\b|\btimes\s|n't\b",
    re.IGNORECASE,
)
# "is, therefore, 72", "is thus 72": what may stand beside a verb and says nothing.
ADVERBS = (
    r"(?:\s*,?\s+(?:then|thus|therefore|hence|so|consequently|accordingly|simply|only|just|exactly|"
    r"precisely|indeed|clearly|obviously|evidently|finally|again|also|now|of\s+course|in\s+fact|"
    r"as\s+(?:expected|required|desired|claimed|stated|before))\b(?:\s*,(?!\d))?)*"
)
# "the circle"; "then" is no article.
_ARTICLES = re.compile(r"^(?:an?|the|is|it is|its|it's)\s+")


def plain_words(text: str) -> str:
    """A text answer in one spelling: no mark-up, case, punctuation or article."""
    text = re.sub(r"\\\$|[${}\"]|\\ ", " ", text).replace("\\", " ")
    text = re.sub(r"(?<=\w)'(?=s\b)", "", text.lower())
    text = re.sub(r"[.,;:!?()\[\]'_-]+(?=\s|$)|(?<=\s)[(\['\"]+|^[(\['\"]+", " ", text)
    text = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text)
    text = " ".join(text.split())
    text = _ARTICLES.sub("", text)
    return _SAME_WORDS.get(text, text)


def number_words(text: str) -> Fraction | None:
    """Value of a number in words: "twenty-one", "three fourths"; None if it is none."""
    words = text.lower().replace("-", " ").split()
    if not words or len(words) > 5:
        return None
    negative = words[0] in {"negative", "minus"}
    if negative:
        words = words[1:]
    value = Fraction(0)
    part = None
    if words and words[-1] in _PART_WORDS and len(words) > 1:
        part = _PART_WORDS[words.pop()]
    if words in (["a", "dozen"], ["one", "dozen"], ["dozen"]):
        return Fraction(-12 if negative else 12)
    if words in (["a"], ["an"]) and part:
        words = ["one"]
    if not words:
        return None
    for place, word in enumerate(words):
        if word == "hundred" and 0 < value < 10:
            value *= 100
        elif word == "thousand" and 0 < value < 1000:
            value *= 1000
        elif word == "and" and place:
            continue
        elif word in _NUMBER_WORDS:
            number = _NUMBER_WORDS[word]
            if value and not (
                (value % 100 == 0)
                or (20 <= value % 100 <= 90 and value % 10 == 0 and 0 < number < 10)
            ):
                return None
            value += number
        else:
            return None
    if part:
        value /= part
    return -value if negative else value
