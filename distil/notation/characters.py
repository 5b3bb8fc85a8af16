"""Mathematical characters: their LaTeX commands, and which of them are operators or brackets."""

COMMANDS = {
    "\u2126": "Omega", "\u2206": "Delta", "\u00b5": "mu", "\u03bc": "mu", "\u03a9": "Omega",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ϵ": "epsilon", "ε": "varepsilon",
    "ζ": "zeta", "η": "eta", "θ": "theta", "ϑ": "vartheta", "ι": "iota", "κ": "kappa",
    "λ": "lambda", "ν": "nu", "ξ": "xi", "π": "pi", "ϖ": "varpi",
    "ρ": "rho", "ϱ": "varrho", "σ": "sigma", "ς": "varsigma", "τ": "tau", "υ": "upsilon",
    "ϕ": "phi", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega",
    "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi",
    "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi",
    "≤": "leq", "⩽": "leq", "≥": "geq", "⩾": "geq", "≠": "neq", "≡": "equiv", "≈": "approx",
    "≅": "cong", "∼": "sim", "≃": "simeq", "∝": "propto", "≪": "ll", "≫": "gg", "≺": "prec",
    "≻": "succ", "±": "pm", "∓": "mp", "×": "times", "÷": "div", "·": "cdot", "⋅": "cdot",
    "∙": "bullet", "∗": "ast", "⋆": "star", "∘": "circ", "◦": "circ", "⊕": "oplus",
    "⊖": "ominus", "⊗": "otimes", "⊘": "oslash", "⊙": "odot", "⋄": "diamond", "∞": "infty",
    "∂": "partial", "∇": "nabla", "∀": "forall", "∃": "exists", "∈": "in", "∉": "notin",
    "∋": "ni", "⊂": "subset", "⊃": "supset", "⊆": "subseteq", "⊇": "supseteq", "⊄": "not\\subset",
    "∪": "cup", "∩": "cap", "∅": "emptyset", "∖": "setminus", "∧": "wedge", "∨": "vee",
    "¬": "neg", "⊤": "top", "⊥": "perp", "⟂": "perp", "∥": "parallel", "∦": "nparallel",
    "∣": "mid", "∤": "nmid", "∠": "angle", "∡": "measuredangle", "△": "triangle",
    "▵": "triangle", "▽": "triangledown", "□": "square", "◯": "bigcirc",
    "→": "to", "←": "leftarrow", "↔": "leftrightarrow", "⇒": "Rightarrow", "⇐": "Leftarrow",
    "⇔": "Leftrightarrow", "↦": "mapsto", "↑": "uparrow", "↓": "downarrow", "⟶": "longrightarrow",
    "⟹": "implies", "⟺": "iff", "⟨": "langle", "⟩": "rangle", "⌊": "lfloor", "⌋": "rfloor",
    "⌈": "lceil", "⌉": "rceil", "ℓ": "ell", "ℜ": "Re", "ℑ": "Im", "ℵ": "aleph", "ℏ": "hbar",
    "…": "ldots", "⋯": "cdots", "⋮": "vdots", "⋱": "ddots", "∑": "sum", "∏": "prod",
    "∐": "coprod", "∫": "int", "∬": "iint", "∮": "oint", "⋃": "bigcup", "⋂": "bigcap",
    "⨁": "bigoplus", "⨂": "bigotimes", "⋁": "bigvee", "⋀": "bigwedge", "⊎": "uplus",
    "√": "sqrt", "⊢": "vdash", "⊣": "dashv", "≀": "wr", "†": "dagger", "‡": "ddagger",
    "∴": "therefore", "∵": "because", "♠": "spadesuit", "♣": "clubsuit", "♡": "heartsuit",
    "♢": "diamondsuit", "〈": "langle", "〉": "rangle", "\u2329": "langle",
    "\u232a": "rangle", "★": "star", "○": "circ", "⨿": "coprod",
    "◻": "square", "⧵": "setminus", "✓": "checkmark", "⪯": "preceq", "⪰": "succeq", "♯": "sharp",
    "♭": "flat", "♮": "natural", "≜": "triangleq", "≔": ":=", "⊔": "sqcup", "⊓": "sqcap",
}  # fmt: skip
LITERAL = {
    "−": "-", "∶": ":", "′": "'", "″": "''", "‴": "'''", "{": r"\{", "}": r"\}",
    "\\": r"\backslash",
    "≔": ":=", "⁄": "/", "∕": "/", "‐": "-", "‑": "-", "‖": r"\|", "\u00ad": "-", "⃗": "",
    "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "⅓": r"\frac{1}{3}",
    "⅔": r"\frac{2}{3}", "⅛": r"\frac{1}{8}", "⅜": r"\frac{3}{8}", "⅝": r"\frac{5}{8}",
    "⅞": r"\frac{7}{8}", "⅕": r"\frac{1}{5}", "⅖": r"\frac{2}{5}", "⅗": r"\frac{3}{5}",
    "⅘": r"\frac{4}{5}", "⅙": r"\frac{1}{6}", "⅚": r"\frac{5}{6}",
    "°": r"^{\circ}", "º": r"^{\circ}", "˚": r"^{\circ}", "¹": "^{1}", "²": "^{2}", "³": "^{3}",
    **{char: f"^{{{digit}}}" for digit, char in zip("0456789", "⁰⁴⁵⁶⁷⁸⁹", strict=True)},
    "ⁿ": "^{n}", "⁺": "^{+}", "⁻": "^{-}",
    **{char: f"_{{{digit}}}" for digit, char in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    "ₙ": "_{n}", "ₖ": "_{k}", "ᵢ": "_{i}",
}  # fmt: skip
DOUBLE = {"ℂ": "C", "ℍ": "H", "ℕ": "N", "ℙ": "P", "ℚ": "Q", "ℝ": "R", "ℤ": "Z"}
SCRIPT = {
    "ℬ": "B", "ℰ": "E", "ℱ": "F", "ℋ": "H", "ℐ": "I", "ℒ": "L", "ℳ": "M", "ℛ": "R", "ℯ": "e",
    "ℊ": "g", "ℴ": "o",
}  # fmt: skip
FRAKTUR = {"ℭ": "C", "ℌ": "H", "ℨ": "Z"}
FUNCTIONS = (
    "arccos", "arcsin", "arctan", "cosh", "sinh", "tanh", "cos", "cot", "csc", "sec", "sin", "tan",
    "log", "ln", "lg", "exp", "gcd", "det", "dim", "ker", "arg", "deg", "max", "min", "sup", "inf",
    "lim", "Pr",
)  # fmt: skip
LIMIT_WORDS = ("limsup", "liminf", "lim", "max", "min", "sup", "inf", "gcd", "argmax", "argmin")
BIG_OPERATORS = set("∑∏∐⋃⋂⋁⋀⨁⨂⨀⨄⨆")
INTEGRALS = set("∫∬∭∮")
RELATIONS = set("=<>≤≥⩽⩾≠≡≈≅∼≃∝∈∉∋⊂⊃⊆⊇→←↔⇒⇐⇔↦≪≫∣∤∥⊥")
OPERATORS = set("+−×÷±∓·⋅∪∩∖∘⊕⊗∧∨")
SPACED = RELATIONS | OPERATORS | set("…⋯⟹⟺|") | {":="}
OPENERS = set("([{⟨⌊⌈")
CLOSERS = set(")]}⟩⌋⌉")

# Letters in circles, as labels of options: Ⓐ is (A).
UNCIRCLED = str.maketrans(
    {chr(0x24B6 + place): f"({chr(0x41 + place)})" for place in range(26)}
    | {chr(0x24D0 + place): f"({chr(0x61 + place)})" for place in range(26)}
)
