// Mathematics in mixed text, set by KaTeX; whatever cannot be set stays the text that it is.
import katex from "katex";
import { useState } from "preact/hooks";

const LONGEST = 4000; // signs shown before "show all"
const MATHS_WORD = /[\\^_]/;
const JOINT = /^[-+*/=<>()[\]{}.,:;\d\sA-Za-z|]*$/;
const OPERATOR = /^[-+*/=<>]$/;

/** Cut a text into pieces {maths, text}: dollars where there are any, else words that hold LaTeX. */
export function pieces(text) {
  if (/(?<!\\)\$[^$]+\$/.test(text)) {
    return text.split(/(?<!\\)(\$[^$]+\$)/).filter(Boolean).map((part) =>
      part.length > 2 && part.startsWith("$") && part.endsWith("$")
        ? { maths: true, text: part.slice(1, -1) }
        : { maths: false, text: part },
    );
  }
  const words = splitWords(text);
  const found = [];
  for (const word of words) {
    const maths = MATHS_WORD.test(word) && balanced(word);
    const last = found.at(-1);
    if (last && last.maths && maths) {
      last.text += word;
    } else if (last && !last.maths && !maths) {
      last.text += word;
    } else {
      found.push({ maths, text: word });
    }
  }
  return joinOperators(found).map((piece) => (piece.maths ? trimmed(piece) : [piece])).flat();
}

function splitWords(text) {
  // At blanks outside braces, each blank with the word before it.
  const words = [];
  let depth = 0;
  let start = 0;
  for (let place = 0; place < text.length; place += 1) {
    const sign = text[place];
    if (sign === "{") depth += 1;
    else if (sign === "}") depth = Math.max(0, depth - 1);
    else if (/\s/.test(sign) && depth === 0 && !/\s/.test(text[place + 1] ?? "")) {
      words.push(text.slice(start, place + 1));
      start = place + 1;
    }
  }
  if (start < text.length) words.push(text.slice(start));
  return words;
}

function balanced(word) {
  let depth = 0;
  for (const sign of word) {
    if (sign === "{") depth += 1;
    if (sign === "}") depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

function joinOperators(found) {
  // "\sqrt{2} + \sqrt{3}": what stands between two pieces of maths is maths, if it is an operator.
  const joined = [];
  for (const piece of found) {
    const [before, middle] = [joined.at(-2), joined.at(-1)];
    if (piece.maths && before?.maths && OPERATOR.test(middle.text.trim()) && JOINT.test(middle.text)) {
      joined.pop();
      before.text += middle.text + piece.text;
    } else {
      joined.push({ ...piece });
    }
  }
  return joined;
}

function trimmed({ text }) {
  // Blanks and the marks of the sentence stay outside.
  const [, head, core, tail] = /^(\s*)(.*?)([\s.,;:?!]*)$/s.exec(text);
  return [
    head && { maths: false, text: head },
    core && { maths: true, text: core },
    tail && { maths: false, text: tail },
  ].filter(Boolean);
}

function typeset(text) {
  try {
    return katex.renderToString(text, {
      throwOnError: true, strict: false, trust: false, maxExpand: 200, maxSize: 20, output: "htmlAndMathml",
    });
  } catch {
    return null;
  }
}

function Piece({ piece }) {
  const made = piece.maths ? typeset(piece.text) : null;
  if (made === null) return <>{piece.text}</>;
  // KaTeX escapes what it is given, and `trust: false` refuses links, classes and pictures.
  return <span class="maths" dangerouslySetInnerHTML={{ __html: made }} />;
}

/** A text with its mathematics set, line by line; a very long one is folded. */
export function Mixed({ text, class: name }) {
  const [whole, setWhole] = useState(false);
  if (text === null || text === undefined || text === "") return <span class="none">none</span>;
  const full = String(text);
  const shown = whole || full.length <= LONGEST ? full : full.slice(0, LONGEST);
  return (
    <div class={`mixed ${name ?? ""}`} dir="auto">
      {shown.split("\n").map((line, place) => (
        <div key={place} class="line">
          {pieces(line).map((piece, number) => <Piece key={number} piece={piece} />)}
          {line === "" ? "\u00a0" : null}
        </div>
      ))}
      {shown.length < full.length ? (
        <button type="button" class="link" onClick={() => setWhole(true)}>
          show all {full.length.toLocaleString("en")} characters
        </button>
      ) : null}
    </div>
  );
}

/** One formula that is mathematics as a whole, such as an answer. */
export function Formula({ text }) {
  if (text === null || text === undefined || text === "") return <span class="none">none</span>;
  const full = String(text);
  const made = full.length < 400 && MATHS_WORD.test(full) ? typeset(full) : null;
  return made === null ? (
    <span class="answer" dir="auto">{full.slice(0, LONGEST)}</span>
  ) : (
    <span class="answer maths" dangerouslySetInnerHTML={{ __html: made }} />
  );
}
