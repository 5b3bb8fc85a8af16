r"""Canonical LaTeX: what extraction should write of a problem's LaTeX source.

    canonical(r"Find $x^2+1$.")  # "Find x^{2} + 1."

Sources that hold a command without a known reading raise `UnknownError`, so that no truth is
guessed.
"""

from __future__ import annotations

import re


class UnknownError(ValueError):
    """LaTeX source that `canonical` does not know."""


SAME = {
    "le": "leq", "ge": "geq", "ne": "neq", "dots": "ldots", "cdots": "ldots", "dotsm": "ldots",
    "dotsb": "ldots", "dotsc": "ldots", "land": "wedge", "lor": "vee", "rightarrow": "to",
    "gets": "leftarrow", "lbrace": "{", "rbrace": "}", "vert": "|", "lvert": "|", "rvert": "|",
    "Vert": "\\|", "leqslant": "leq", "geqslant": "geq", "varnothing": "emptyset", "ast": "*",
    "tfrac": "frac", "dfrac": "frac", "cfrac": "frac", "tbinom": "binom", "dbinom": "binom",
    "widehat": "hat", "widetilde": "tilde", "overrightarrow": "vec", "bar": "overline",
    "varepsilon": "epsilon", "varphi": "phi", "mid": "|", "middle": "", "colon": ":",
    "parallel": "|", "diamondsuit": "diamond", "prime": "'", "setminus": "backslash",
}  # fmt: skip
DROPPED = {
    "left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl",
    "biggr", "displaystyle", "textstyle", "limits", "quad", "qquad", "phantom", "hspace",
    "noindent", "medskip", "bigskip", "smallskip", "par", "allowbreak", "nolimits", "item",
}  # fmt: skip
SPACES = {",", ";", ":", "!", " ", "/", "\n"}
TEXTS = {
    "text", "textbf", "textit", "emph", "mbox", "mathrm", "operatorname", "textrm", "mathbf",
    "bold", "boldsymbol", "mathit", "rm", "bf", "underline", "textsc", "mathsf", "hbox",
}  # fmt: skip
UNARY = {"overline", "vec", "hat", "tilde", "boxed", "pmod", "mathbb", "mathcal", "mathfrak"}
BINARY = {"frac", "binom"}
WORDS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "log", "ln", "gcd",
    "max", "min", "lim", "exp", "det", "deg", "sinh", "cosh", "tanh", "dim", "ker", "arg", "inf",
    "sup",
}  # fmt: skip
SYMBOLS = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
    "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma",
    "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega", "leq", "geq", "neq",
    "equiv", "approx", "cong", "sim", "pm", "mp", "times", "div", "cdot", "circ", "oplus", "otimes",
    "infty", "partial", "forall", "exists", "in", "notin", "subset", "subseteq", "supset", "cup",
    "cap", "emptyset", "wedge", "vee", "neg", "perp", "angle", "triangle", "to", "leftarrow",
    "mapsto", "ldots", "vdots", "ddots", "sum", "prod", "int", "lfloor", "rfloor", "lceil", "rceil",
    "langle", "rangle", "ell", "diamond", "star", "bullet", "clubsuit", "heartsuit", "spadesuit",
    "square", "backslash", "iff", "implies", "Rightarrow", "Leftrightarrow", "propto", "gg", "ll",
    "nmid", "bigcup", "bigcap", "Re", "Im", "aleph", "nabla",
}  # fmt: skip
TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|[{}^_&$~\[\]]|\s+|.", re.S)
BLOCKS = {"cases", "pmatrix", "bmatrix", "vmatrix"}
PLAIN_BLOCKS = {"align", "align*", "center", "equation*", "gather*", "equation", "aligned"}


class _Source:
    """A reader of LaTeX source."""

    def __init__(self, text: str) -> None:
        self.tokens = TOKEN.findall(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def skip_space(self) -> None:
        while self.peek().isspace():
            self.at += 1

    def group(self) -> str:
        """Return the next argument in canonical form."""
        self.skip_space()
        if self.peek() == "{":
            self.at += 1
            return self.run("}").strip()
        return self.one().strip()

    def run(self, closing: str = "") -> str:
        out = []
        while self.at < len(self.tokens):
            if self.peek() == closing:
                self.at += 1
                return "".join(out)
            out.append(self.one())
        if closing:
            raise UnknownError(f"no {closing}")
        return "".join(out)

    def one(self) -> str:
        part = self.peek()
        self.at += 1
        if part == "{":
            return self.run("}")
        if part in ("^", "_"):
            inner = self.group()
            if part == "^" and inner and set(inner) == {"'"}:
                return inner
            return f"{part}{{{inner}}}"
        if part in ("$", "&"):
            return ""
        if part == "~" or part.isspace():
            return " "
        if part == "`":
            return "‘"
        if not part.startswith("\\"):
            return part
        return self.command(part[1:])

    def command(self, name: str) -> str:
        if name in ("[", "]", "(", ")", "\\"):
            return " "
        if name in "{}|":
            return "\\" + name if name != "|" else "|"
        if name in "%$&#_":
            return name if name != "_" else r"\_"
        if name in SPACES:
            return " " if name != "!" else ""
        if name in ("begin", "end"):
            return self.environment(name)
        if name in DROPPED:
            if name in ("left", "right") and self.peek() == ".":
                self.at += 1
            if name in ("phantom", "hspace"):
                self.group()
            return " " if "quad" in name else ""
        name = SAME.get(name, name)
        if name in ("", "{", "}", "|", "\\|", "*", "'", ":"):
            return {"{": r"\{", "}": r"\}", "\\|": "|"}.get(name, name)
        if name in TEXTS:
            return self.group() if name not in ("rm", "bf") else ""
        if name == "sqrt":
            self.skip_space()
            index = ""
            if self.peek() == "[":
                self.at += 1
                index = f"[{self.run(']')}]"
            return f"\\sqrt{index}{{{self.group()}}}"
        if name in UNARY:
            return f"\\{name}{{{self.group()}}}"
        if name in BINARY:
            return f"\\{name}{{{self.group()}}}{{{self.group()}}}"
        if name == "bmod":
            return " mod "
        if name in WORDS or name in SYMBOLS:
            return f"\\{name} "
        raise UnknownError("\\" + name)

    def environment(self, name: str) -> str:
        self.skip_space()
        if self.peek() != "{":
            raise UnknownError(name)
        self.at += 1
        what = ""
        while self.peek() != "}":
            what += self.peek()
            self.at += 1
        self.at += 1
        if what in PLAIN_BLOCKS:
            return " "
        if name == "begin" and what in BLOCKS:
            start = self.at
            depth = 1
            while depth and self.at < len(self.tokens):
                depth += {"\\begin": 1, "\\end": -1}.get(self.tokens[self.at], 0)
                self.at += 1
            inside = self.tokens[start : self.at - 1]
            while self.peek() != "}":
                self.at += 1
            self.at += 1
            rows, cell = [[]], []
            for part in [*inside, "\\\\"]:
                if part in ("&", "\\\\"):
                    rows[-1].append(canonical("".join(cell)))
                    cell = []
                    if part == "\\\\":
                        rows.append([])
                else:
                    cell.append(part)
            rows = [row for row in rows if any(row)]
            body = r" \\ ".join(" & ".join(row) for row in rows)
            return f"\\begin{{{what}}} {body} \\end{{{what}}}"
        raise UnknownError(what)


def canonical(latex: str) -> str:
    """Return LaTeX source as extraction would write it, spaces apart.

    Raises:
        UnknownError: the source holds something that this does not know.
    """
    latex = latex.replace("``", "\u201c").replace("''", "\u201d" if "$" not in latex else "''")
    if re.search(r"\\begin\{(?:array|tabular)|\[asy\]|\\multicolumn|\\hline", latex):
        raise UnknownError("table")
    return re.sub(r"\s+", " ", _Source(latex).run()).strip()


def tight(latex: str) -> str:
    """Return LaTeX-ish text for an exact comparison: spelling variants and spaces gone."""
    latex = re.sub(r"\\overrightarrow\b", r"\\vec", latex)
    latex = re.sub(r"\\(left|right)(?![a-z])", "", latex)
    latex = re.sub(r"\\(?:cdots|ldots|dots)\b|\.\.\.|…|⋯", r"\\ldots ", latex)
    latex = re.sub(r"\\var(?=phi|epsilon)", r"\\", latex)
    latex = re.sub(r"\\(?:mathrm|mathbf|operatorname|text|mathit)\{([^{}]*)\}", r"\1", latex)
    latex = re.sub(r"\\(?:mid|parallel|\|)(?![a-z])", "|", latex)
    latex = re.sub(r"\\(?:bar)\b", r"\\overline", latex)
    latex = re.sub(r"\\ast\b|∗", "*", latex).replace(r"\setminus", r"\backslash")
    latex = re.sub(r"\\mod\b", "mod", latex)
    latex = re.sub(r"\^\{(\\prime|')+\}", "'", latex)
    latex = latex.translate(str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-",
                                           "—": "-", "−": "-", "`": "'"}))  # fmt: skip
    latex = latex.replace("---", "-").replace("--", "-").replace("''", '"')
    latex = re.sub(r"\\_", "_", latex)
    # A group of one item and its braces are one.
    latex = re.sub(r"(\\[A-Za-z]+)\s+(?=[A-Za-z])", r"\1\0", latex)
    return re.sub(r"\s+", "", latex).replace("\0", " ")
