r"""Which part of a model's output is its answer.

Rules, in order: reasoning between think tags is dropped, and reasoning that never ends is no
answer; the last box counts, adjacent boxes together; without a box an explicit statement counts
("Answer: 12", "the answer is 12", "12 is the answer", "#### 12"); an output that is one short line
is itself the answer; else a whole last sentence that concludes counts ("Therefore the sum is 12.").
The last number of a text is never taken for its answer.
"""

import re
from dataclasses import dataclass, replace

from distil.grading.vocabulary import ADVERBS
from distil.notation.answers import without_emphasis
from distil.notation.braces import balanced_end, in_formula

# An answer stands at the end: of longer outputs only this many characters are searched.
SEARCHED = 100_000
# A string longer than this is not an answer to a contest question.
LONGEST_ANSWER = 4_000


@dataclass(frozen=True)
class Extraction:
    """What an output gives as its answer.

    Attributes:
        answer: the answer as written, or None when the output gives none.
        rule: how it was found: "box", "boxes", "statement", "whole", "conclusion" or "none".
        reason: why there is none; empty otherwise.
        later: the explicit statement after the last box, or None.
        latex: the answer stood in a formula.
        at_end: the answer runs to the very last character, so a cut output may have lost its tail.
        parts: the contents of adjacent boxes, when there are several.
    """

    answer: str | None
    rule: str
    reason: str = ""
    later: "Extraction | None" = None
    latex: bool = False
    at_end: bool = False
    parts: tuple[str, ...] = ()


# "</think>"; "think" without brackets is a word.
_THINK_CLOSE = re.compile(
    r"</\s*(?:think|thinking|thought|reasoning)\s*>|<\|end_of_thought\|>|◁/think▷", re.I
)
# "<think>"; "<thin>" is another tag.
_THINK_OPEN = re.compile(
    r"<\s*(?:think|thinking|thought|reasoning)\s*>|<\|begin_of_thought\|>|◁think▷", re.I
)
# "<|im_start|>"; "|x|" is an absolute value.
_SPECIAL = re.compile(r"<\|[a-z_]{2,30}\|>|</s>|<(?:eos|pad|end_of_turn)>|</?answer>", re.I)
# What follows the end of the model's turn is another text.
_END = re.compile(r"<\|(?:endoftext|im_end|eot_id|end|end_of_text)\|>|</s>|<(?:eos|end_of_turn)>")
# "<answer>5</answer>"; an empty or nested tag holds no answer.
_TAGGED = re.compile(r"<answer>([^<>]{1,400})</answer>", re.IGNORECASE)
# "\boxed{5}", "boxed{5}"; "unboxed{5}" and "\boxedtext" are none.
_BOX = re.compile(
    r"\\(?:boxed|fbox|framebox(?:\[[^\[\]]*\])*|colorbox\{\w+\}|boxedanswer)(?![a-zA-Z])\s*|(?<![\\a-zA-Z])boxed(?=\{)"
)
# "\boxed{1} and \boxed{2}" are one answer; "\boxed{1}, then \boxed{2}" are two.
_BETWEEN_BOXES = re.compile(
    r"(?:[\s$,;&]|\\[()\[\]]|\\\\|\\(?:quad|qquad|,|;|!|:)|\\(?:text|mbox|mathrm)\{\s*(?:and|or|"
    r",|;)?\s*\}"
    r"|and\b|or\b|\\(?:land|lor|wedge|vee|cup)(?![a-zA-Z])|\*\*|"
    r"(?<![a-zA-Z])[a-zA-Z](?:_\{?\w{1,2}\}?)?\s*=)*"
)
# What follows a box within its formula belongs to it: "\boxed{5}\pi", "\boxed{5}\%".
_AFTER_BOX = re.compile(
    r"(?:\\pi(?![a-zA-Z])|\\sqrt\s*(?:\{[^{}]*\}|\d))|"
    r"(?:\\?%|\^\s*\{?\s*\\circ\s*\}?|_\{?\d+\}?|"
    r"\^\s*(?:\{[^{}]*\}|\d))"
)
# An exclamation mark after a box is a factorial only inside a formula.
_FACTORIAL_AFTER = re.compile(r"\s*!+")
# A minus before a box: "= -\boxed{5}"; "Answer - \boxed{5}" and "- \boxed{5}" have a dash.
_MINUS_BEFORE = re.compile(r"(?:^|[$=(\[\n]\s?|\\[(\[]\s*)-$")
# "$-\boxed{5}$"; "$3 - \boxed{5}$" is a difference.
_MINUS_IN_FORMULA = re.compile(r"(?:^|[$=({&,]|\\[(\[])\s*-\s*$")
_ANSWER_WORD = r"(?:answers?|ans\.?|option|choice|solution\s+set)"
# "Antwort: 5", "La respuesta es 5", "答案是5"; a colon or a verb must follow.
_OTHER_LANGUAGES = (
    r"(?<!\w)(?:la\s+|a\s+|die\s+|il\s+)?(?:respuesta|solución|resultado|résultat|resultat|risultato|réponse|antwort|lösung|ergebnis|"
    r"risposta|soluzione|resposta|solução|antwoord|svar|vastaus|odpowiedź|odpověď|cevap|yanıt|jawaban|"
    r"ответ|решение|відповідь|отговор|απάντηση|đáp\s+(?:án|số)|الجواب|الإجابة|תשובה|उत्तर)"
    r"(?:\s+(?:final|finale|correcta?|definitiva|endgültige))?"
    r"(?:\s*[:：=]|\s+(?:es|est|ist|è|é|is|är|er|to|on)\b|\s*[–—](?=\s))"
    r"|(?:答案|答え|解答|答|정답|답)(?:\s*[是为為は은는]\s*[:：]?|\s*[:：])"
)
# "Solution: 72" gives an answer, "Solution: We have ..." begins the working.
_SOLUTION = r"^[#*_\s]{0,8}(?:the\s+)?solution[*_\s]{0,4}[:：][*_\s]{0,4}(?=[-\d$\\(][^\n]{0,60}$)"
# "is, as we have shown, 72"; "is, if n is odd, 72" depends.
_ASIDE = (
    r"(?:\s*,(?:\s+(?!(?:if|when|where|unless|for|or|and|not|never|no|either|neither|maybe|perhaps|"
    r"possibly)\b)[A-Za-z']+){0,6}\s*,(?=\s+[-\d$\\(]))?"
)
# "The answer is 5", "Answer: 5"; "answer the question" and "answers to 5" state none.
_STATEMENT = re.compile(
    r"(?:(?<![A-Za-z])(?:" + _ANSWER_WORD + r")(?![A-Za-z])"
    r"(?:\s+(?:to|for)\s+(?:this|the|our)\s+(?:\w+\s+)?(?:problem|question|part))?"
    + ADVERBS
    + r"[*_\"'\s]{0,12}(?:\((?:in|as|to|final)\b[^()\n]{0,40}\)\s*)?"
    r"(?:(?:is|are|was|equals|would be|will be|should be|must be|has to be|can be|"
    r"comes out to be|turns out to be|becomes|comes to|works out to)\b"
    + ADVERBS
    + _ASIDE
    + r"(?:\s+(?:given by|exactly|equal to|option|choice))*\s*[:：]?|[:：=]|\s[–—-](?=\s))"
    r"|\\(?:text|textbf|mathbf|mathrm|textit)\{\s*(?:final\s+)?answer\s*:?\s*(?:is)?\s*\}\s*[:=]?"
    r"|^[#*_\s]{0,8}(?:the\s+)?(?:final\s+)?answer[*_\s.:]{0,6}$"
    r"|^[#*_\s]{0,8}(?:the\s+)?(?:final\s+)?result[*_\s]{0,4}:"
    r"|^[#*_\s]{0,8}(?:ans(?:wer)?\.|final\s+answer)(?=\s*[-\d$\\(])"
    r"|" + _OTHER_LANGUAGES + "|" + _SOLUTION + r"|the\s+solution\s+is(?=\s+[-\d$\\(])"
    r"|^#{3,4}(?=\s*[-\d$\\(]))[_\s]{0,12}",
    re.IGNORECASE | re.MULTILINE,
)
# "so 12 is the answer"; "12 is an answer to another question" has no "the".
_NAMED_LAST = re.compile(
    r"(?:^|[.;:!?\n]\s|\b(?:so|thus|hence|therefore|then|and|conclude that|have)\b,?\s)"
    r"([^\n;!?]{1,120}?)\s+(?:is|are|must be)"
    + ADVERBS
    + r"\s+(?:the|our|my)\s+(?:final\s+|correct\s+|"
    r"required\s+|desired\s+)*answers?\b",
    re.IGNORECASE,
)
# "we get 12 as our answer"; "we get 12 as a bound" is working.
_GOT_AS = re.compile(
    r"\b(?:get|got|have|obtain|find|found)\s+([^\n;!?]{1,120}?)\s+as\s+(?:the|our|my)\s+"
    r"(?:final\s+|correct\s+)*answers?\b",
    re.IGNORECASE,
)
# "The answer is not 5", "the answer is given by ..."; "the answer is 5, not 6" is one.
_NEGATED = re.compile(
    r"\s*(?:not\b|n't\b|unclear\b|unknown\b|wrong\b|incorrect\b|correct\b|given\b|"
    r"(?:be\s+)?(?:found|obtained|computed|determined|calculated|derived)\b|"
    r"in\s+the\s+form\b)",
    re.IGNORECASE,
)
# "The answer is 7?" asks.
_ASKED = re.compile(r"\s*(?:[^.!?\n(]|\.(?=\d)){1,38}\?")
# "if the answer is 5"; "as shown, the answer is 5" is a statement.
_CONDITIONAL = re.compile(
    r"(?:\b(?:if|since|because|given(?: that)?|whether|when|assuming|suppose|unless|as|"
    r"for which|why|confirm(?:ing)?"
    r"|means|check|verify|verifying|checking)\s+(?:that\s+)?(?:the\s+|our\s+)?(?:\w+\s+){0,2})$",
    re.IGNORECASE,
)
# A last sentence that concludes, whole to its stop; "So x = 12." is working like any other.
_CONCLUSION = re.compile(
    r"(?:^|[.!?]\s)[\s*]*(?:so|thus|hence|therefore|consequently|finally|we conclude that|"
    r"it follows that|in conclusion)\b,?\s+((?:[^.;,=]|[.,](?=\d)){1,120}\s(?:is|are|equals)"
    + ADVERBS
    + r"\s+"
    r"(?:\\\(\s*[^()=\n]{1,60}?\s*\\\)|[-$\\\d(\[](?:[^\s.;,=]|[.,](?=\d))*)"
    r"(?:\s+[a-z]+){0,2})[.!][\s*]*$",
    re.IGNORECASE,
)
# "x = 5"; two signs of equality are working.
_PLAIN_LINE = re.compile(r"(?:[^=\n]{1,40}=)?[^=\n]{1,80}")
# "(B) 12"; "B is right" is a sentence.
_OPTION_LINE = re.compile(r"[*\s]*\(?[A-H][.)]\s+[^\s.;:!?]{1,30}[*\s.]*")
# "$5$", "\(5\)"; a lone "$" is money.
_MATH_SPAN = re.compile(
    r"\$\$(.{1,2000}?)\$\$|\$(?!\$)((?:[^$\\]|\\.){1,2000}?)\$|\\\((.{1,2000}?)\\\)|"
    r"\\\[(.{1,2000}?)\\\]|\s*(\\begin\{(?:align|equation|gather)\*?\}.{1,2000}?\\end\{\w{1,9}\*?\})",
    re.DOTALL,
)
# "$1$ and $2$"; "$1$ so $2$" are two statements.
_JOINS_MATH = re.compile(r"\s*(?:,|;|and|or|,\s*and|,\s*or)\s*(?=\$|\\\()")
# "$5$ cm."; "$5$ is odd." has no unit, which the caller tells.
_UNIT_AFTER = re.compile(
    r"\s*((?:(?:square|cubic|sq\.?|cu\.?)\s+)?[A-Za-z]{1,14}(?:\^\{?[23]\}?)?(?:\s*(?:/|"
    r"per)\s*[A-Za-z]{1,10})?|\\?%)\s*(?=[.,;!]|$|\n|\))"
)
# "5, since ..."; "5, 6" goes on with the answer.
_CLAUSE = re.compile(
    r"[,;]?\s+(?:because|since|which|where|when|as\s+(?:shown|required|desired|expected|we)|"
    r"so\s+that|but|rather|instead|likely|"
    r"according|obtained|not)\b|,\s*(?:not|so|as|since|attained|achieved|reached|occurring|obtained|with|and\s+(?:so|this|that|the|we|it)|after|"
    r"given|I|we|this|it|let|which|implying|likely|accept)\b|\s+—\s+|"
    r"\s*(?:です|である|입니다|이다)|\s+[-–]\s+(?=(?:that|which|so|as|in|because|since|and|the|it|this|we|done)\b)",
    re.IGNORECASE,
)
# "$3/4$ (or 0.75)"; "(see above)" is no other form.
_OTHER_FORM = re.compile(r"\s*(\((?:or|i\.e\.|that\s+is|=)\s*[^()\n]{1,60}\))")
# "5. So"; "5.2" goes on.
_SENTENCE_END = re.compile(r"[!?。]|\.(?!\d)(?=\s|$|[*\"')\]]|[A-Z])(?!\.)|\n")
# "**B**"; "Bo" is a name.
_LONE_LETTER = re.compile(r"[\s*_$]*\(?[A-H][).]?[\s*_$]*")
_TRAILING = " \t\r\n*_`\"'"
# "5 ft. tall"; "left." ends a sentence.
_ABBREVIATION = re.compile(
    r"\b(?:a\.m|p\.m|a|p|sq|cu|ft|in|cm|hr|min|sec|approx|no|vs|e\.g|i\.e)$", re.IGNORECASE
)


def _braced(text: str, position: int) -> tuple[str | None, int]:
    if position < len(text) and text[position] == "{":
        end = balanced_end(text, position)
        return (None, len(text)) if end < 0 else (text[position + 1 : end], end + 1)
    found = re.compile(r"[^\s$\\{}.,;]+|\\[a-zA-Z]+(?:\{[^{}]*\})*").match(text, position)
    return (found.group(), found.end()) if found else ("", position)


def _boxes(text: str) -> list[tuple[int, int, str | None]]:
    """(start, end, content) of every outermost box; content None marks one never closed."""
    boxes = []
    position = 0
    while (found := _BOX.search(text, position)) is not None:
        content, position = _braced(text, found.end())
        if content == "" and position == found.end():
            # The word alone: "I marked it with \boxed."
            position = max(position, found.start() + 1)
            continue
        if content is not None:
            content = _BOX.sub("", content)
        boxes.append((found.start(), position, content))
        position = max(position, found.end())
    return boxes


def _box_content(text: str, box: tuple[int, int, str | None]) -> str:
    """What a box holds, with the sign before it and the sign or constant after it."""
    start, end, content = box
    formula = in_formula(text[:start][-LONGEST_ANSWER:])
    before = text[max(0, start - 8) : start]
    if (_MINUS_IN_FORMULA if formula else _MINUS_BEFORE).search(before):
        content = f"-({content})" if content[:1] == "-" else f"-{content}"
    gap = end + len(text[end : end + 3]) - len(text[end : end + 3].lstrip(" ")) if formula else end
    after = _AFTER_BOX.match(text, gap) or (formula and _FACTORIAL_AFTER.match(text, end))
    return content + (after.group() if after else "")


def _trimmed(text: str) -> str:
    """A text without blanks, quotes and marks of emphasis around it; "**3**2" keeps its stars."""
    text = text.strip(_TRAILING.replace("*", ""))
    bare = text.strip(_TRAILING)
    return text if "**" in bare and text[:1] == "*" else bare


def _sentence(text: str) -> tuple[str, int]:
    """The first sentence of `text` and the number of characters it took."""
    position = 0
    while (found := _SENTENCE_END.search(text, position)) is not None:
        head = text[: found.start()]
        inside = head.count("$") % 2 or head.count("{") > head.count("}")
        if inside and found.group() != "\n":
            position = found.end()
            continue
        if found.group() == "." and _ABBREVIATION.search(head):
            if re.match(r"\s*(?:[A-Z]|$)", text[found.end() :]) and not re.match(
                r"\s*[mM]\.", text[found.end() :]
            ):
                return text[: found.end()], found.end()
            position = found.end()
            continue
        return head, found.end()
    return text, len(text)


def _stated(text: str) -> Extraction:
    """The answer at the start of the text after "answer is"; empty if nothing stands there."""
    text = without_emphasis(text.lstrip())
    skipped = len(text) - len(text.lstrip(" \t\r\n_:"))
    if "**" not in text[skipped:].lstrip("*").partition("\n")[0]:
        skipped = len(text) - len(text.lstrip(" \t\r\n*_:"))
    rest = text[skipped : skipped + LONGEST_ANSWER + 1]
    spans = []
    position = 0
    while (found := _MATH_SPAN.match(rest, position)) is not None:
        spans.append(next(group for group in found.groups() if group is not None))
        position = found.end()
        joint = _JOINS_MATH.match(rest, position)
        if not joint:
            break
        position = joint.end()
    if spans:
        answer = ", ".join(spans)
        unit = _UNIT_AFTER.match(rest, position)
        if (
            unit
            and len(spans) == 1
            and not re.match(r"\s*(?:is|and|or|so|as|if|for|but)\b", rest[position:])
        ):
            answer += " " + unit[1]
        other = _OTHER_FORM.match(rest, position)
        answer += f" {other[1]}" if other else ""
        return Extraction(answer, "statement", latex=True)
    sentence, taken = _sentence(rest)
    if _LONE_LETTER.fullmatch(sentence) and "\n" not in rest[:taken]:
        more, _ = _sentence(rest[taken:])
        if 0 < len(more.strip()) <= 60 and not re.match(r"\s*[A-Z][a-z]+ ", more):
            letter = sentence.strip(_TRAILING + "().$")
            return Extraction(f"({letter}) {_trimmed(more)}", "statement")
    clause = _CLAUSE.search(sentence)
    if clause and clause.start() > 0:
        return Extraction(_trimmed(sentence[: clause.start()]), "statement")
    return Extraction(_trimmed(sentence), "statement", at_end=taken >= len(rest))


def _statement(text: str, *, named: bool = True) -> Extraction | None:
    """The last explicit statement of an answer in `text`; `named` also takes "12 is the answer"."""
    start = -1
    for found in _STATEMENT.finditer(text):
        following = text[found.end() : found.end() + 40]
        if _NEGATED.match(following) or _ASKED.match(following) or not following.strip():
            continue
        if _CONDITIONAL.search(text[max(0, found.start() - 60) : found.start()]):
            continue
        if _STATEMENT.match(text, found.end()) or re.match(
            r"\s*the (?:final )?answer is\b", following, re.I
        ):
            continue
        start = found.end()
    best = None
    if start >= 0:
        end = start + LONGEST_ANSWER + 50
        best = _stated(text[start:end])
        if end < len(text):
            best = replace(best, at_end=False)
        if not best.answer:
            start, best = -1, None
    # Both patterns end in "answer" after another word, which costs less to look for.
    named = named and " answer" in text.lower()
    for found in (*_NAMED_LAST.finditer(text), *_GOT_AS.finditer(text)) if named else ():
        if found.start(1) > start:
            said = re.split(r"\b(?:so|thus|hence|therefore|that|then|,)\s+", found[1])[-1]
            if said.strip().lower() not in {"this", "that", "it", "which", "what", ""}:
                start, best = found.start(1), Extraction(_trimmed(said), "statement")
    return best


def extract_answer(output: str) -> Extraction:
    r"""Find the answer that an output commits to.

    Args:
        output: a model's whole output.

    Returns:
        The extraction. It takes time linear in the length of the output and never raises.
    """
    ended = _END.search(output)
    if ended and output[: ended.start()].strip():
        output = output[: ended.start()]
    closes = list(_THINK_CLOSE.finditer(output))
    text = output[closes[-1].end() :] if closes else output
    opened = _THINK_OPEN.search(text)
    if opened:
        if text[: opened.start()].strip():
            # Reasoning was reopened after an answer: what stood before may have been revised.
            return Extraction(None, "none", "reasoning reopened and never closed")
        return Extraction(None, "none", "reasoning never closed")
    # Long runs of blanks would make the searches below quadratic.
    tags = text[-SEARCHED:]
    text = re.sub(r"[ \t]{2,}", " ", _SPECIAL.sub(" ", text[-SEARCHED:]))
    if not text.strip():
        return Extraction(None, "none", "empty output")
    boxes = _boxes(text)
    if boxes:
        return _from_boxes(text, boxes)
    tagged = _TAGGED.findall(tags)
    if tagged and tagged[-1].strip():
        return Extraction(tagged[-1].strip(), "statement")
    stated = _statement(text)
    if stated:
        return stated
    line = text.strip()
    if _is_bare(line):
        return Extraction(line, "whole", at_end=not text.endswith("\n"))
    concluded = _concluded(line)
    if concluded:
        return Extraction(concluded, "conclusion", at_end=True)
    return Extraction(None, "none", "no box and no explicit answer")


def _is_bare(line: str) -> bool:
    """Whether an output is an answer and nothing else, not working such as "3 + 4 = 7"."""
    if _OPTION_LINE.fullmatch(line):
        return True
    if not _PLAIN_LINE.fullmatch(line) or re.search(
        r"[.;:!?]\s|→|⇒|\\(?:Right|right|implies|to)\w*|[<>]{2}", line
    ):
        return False
    left, equals, _ = line.partition("=")
    return not equals or not re.search(r"[\d+*/^\\-]|\w\s+\w", left)


def _concluded(text: str) -> str | None:
    """The last sentence if it concludes with a value, as in "Therefore the sum is 25."."""
    found = _CONCLUSION.search(text.rsplit("\n", 1)[-1])
    return _trimmed(found[1]) if found else None


def _from_boxes(text: str, boxes: list[tuple[int, int, str | None]]) -> Extraction:
    if boxes[-1][2] is None:
        return Extraction(None, "none", "last box never closed")
    first = len(boxes) - 1
    while first > 0 and boxes[first - 1][2] is not None:
        gap = text[boxes[first - 1][1] : boxes[first][0]]
        if len(gap) > 60 or not _BETWEEN_BOXES.fullmatch(gap):
            break
        first -= 1
    contents = []
    for box in boxes[first:]:
        content = _box_content(text, box).strip()
        if first < len(boxes) - 1:
            label = re.search(
                r"(?<![a-zA-Z])([a-zA-Z](?:_\{?\w{1,2}\}?)?)\s*=\s*[$\s]*$", text[: box[0]][-20:]
            )
            if label and "=" not in content:
                content = f"{label[1]} = {content}"
        if content not in contents:
            contents.append(content)
    later = _statement(text[boxes[-1][1] :], named=False)
    rule = "box" if len(contents) == 1 else "boxes"
    answer = ", ".join(contents)
    if not answer.strip():
        return Extraction(None, "none", "empty box")
    return Extraction(answer, rule, later=later, latex=True, parts=tuple(contents))
